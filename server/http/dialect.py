"""Dialect: the endpoints of one HTTP API and the shape of its errors, as the application registers them."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.http.errors import ApiError
from server.http.request_model import RequestBody
from server.http.request_record import current_record

Handler = Callable[[Request], Awaitable[Response]]
ErrorFormat = Callable[[Exception], ApiError]
"""Returns an error as a client may see it."""
Method = Literal["GET", "POST", "PUT", "DELETE"]


def as_before(body: bytes) -> bytes:
    """Is the answer of an endpoint while the model is unloaded, if nothing in it changes then."""
    return body


@dataclass(frozen=True, slots=True)
class Endpoint:
    path: str
    handler: Handler
    summary: str
    body: type[RequestBody] | tuple[type[RequestBody], ...] | None = None
    """The model of its request body; several for a path that dialects share."""
    form: tuple[str, ...] = ()
    """Parts of a form that it takes instead (multipart/form-data); the first one is a file."""
    query: tuple[str, ...] = ()
    """Parameters in the URL."""
    verb: Method | None = None
    """How it is reached; None stands for POST if it has a body, else GET."""
    needs_key: bool = True
    """Whether requests have to carry one of the API keys, if the server has any."""
    media_types: tuple[str, ...] = ()
    """Of its responses; none stands for JSON, and for server-sent events as well if its body has `stream`."""
    while_asleep: Callable[[bytes], bytes] | None = None
    """Returns what it answers while the model is unloaded, of its answer before; None loads the model if it needs
    that. For GET without parameters in the path."""

    @property
    def method(self) -> Method:
        return self.verb or ("POST" if self.body else "GET")

    @property
    def bodies(self) -> tuple[type[RequestBody], ...]:
        if isinstance(self.body, tuple):
            return self.body
        return (self.body,) if self.body else ()


def make_routes(endpoints: Iterable[Endpoint]) -> list[Route]:
    """Returns a route for each path. Endpoints at one path share theirs, so that it knows all methods of the path."""
    by_path: defaultdict[str, dict[str, Handler]] = defaultdict(dict)
    for endpoint in endpoints:
        by_path[endpoint.path][endpoint.method] = endpoint.handler
    return [
        Route(path, _choose_by_method(path, handlers), methods=list(handlers)) for path, handlers in by_path.items()
    ]


def _choose_by_method(path: str, handlers: Mapping[str, Handler]) -> Handler:
    """Returns a handler that answers HEAD as GET."""

    async def handle(request: Request) -> Response:
        if record := current_record():
            record.route = path
        return await handlers["GET" if request.method == "HEAD" else request.method](request)

    return handle


@dataclass(frozen=True, slots=True)
class Dialect:
    name: str
    endpoints: tuple[Endpoint, ...]
    format_error: ErrorFormat
    error_schema: Mapping[str, object]
    """JSON schema of an error response."""
    prefixes: tuple[str, ...] = ()
    """Paths that begin with one of these have this shape of errors, also if there is no endpoint."""

    def with_endpoints(self, *endpoints: Endpoint) -> "Dialect":
        """Returns the dialect with more endpoints."""
        return replace(self, endpoints=(*self.endpoints, *endpoints))
