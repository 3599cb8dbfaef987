"""Dialect: the endpoints of one HTTP API and the shape of its errors, as the application registers them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.http.errors import ApiError
from server.http.request_model import RequestBody

Handler = Callable[[Request], Awaitable[Response]]
ErrorFormat = Callable[[Exception], ApiError]
"""Returns an error as a client may see it."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    path: str
    handler: Handler
    summary: str
    body: type[RequestBody] | tuple[type[RequestBody], ...] | None = None
    """The model of its request body; several for a path that dialects share. Endpoints with a body are reached by POST,
    others by GET."""
    query: tuple[str, ...] = ()
    """Parameters in the URL."""

    @property
    def method(self) -> str:
        return "POST" if self.body else "GET"

    @property
    def bodies(self) -> tuple[type[RequestBody], ...]:
        if isinstance(self.body, tuple):
            return self.body
        return (self.body,) if self.body else ()

    def route(self) -> Route:
        return Route(self.path, self.handler, methods=[self.method])


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
