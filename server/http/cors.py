"""Cors: what pages in a browser may do with the server, in the headers of llama.cpp's server."""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

LOCALHOST = "localhost"
"""Stands for every origin on this machine."""
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


class _CasedName(bytes):
    """The name of a header that is sent in this case, which uvicorn would lower: there are clients of llama.cpp's
    server that look at it."""

    def lower(self) -> bytes:
        return self


class Cors(CORSMiddleware):
    """Answers each preflight with a 200 and with what is allowed, and leaves the comparison to the browser."""

    def __init__(
        self,
        app: ASGIApp,
        origins: Collection[str],
        methods: Collection[str],
        headers: Collection[str],
        *,
        credentials: bool,
    ) -> None:
        super().__init__(app, origins, methods, headers, credentials, allow_private_network=True)
        self._preflight_headers = {
            "Access-Control-Allow-Methods": ", ".join(methods),
            "Access-Control-Allow-Headers": ", ".join(headers),
            "Access-Control-Allow-Credentials": "true" if credentials else "false",
            "Access-Control-Max-Age": "600",
            "Vary": "Origin, Access-Control-Request-Private-Network",
        }

    def is_allowed_origin(self, origin: str) -> bool:
        return super().is_allowed_origin(origin) or (LOCALHOST in self.allow_origins and _is_local(origin))

    def preflight_response(self, request_headers: Headers) -> Response:
        origin, headers = request_headers["origin"], dict(self._preflight_headers)
        if self.is_allowed_origin(origin):
            headers["Access-Control-Allow-Origin"] = origin if self.preflight_explicit_allow_origin else "*"
        if "access-control-request-private-network" in request_headers:
            headers["Access-Control-Allow-Private-Network"] = "true"
        response = Response(media_type="text/html")
        response.raw_headers += [
            (_CasedName(name.encode()), value.encode("latin-1")) for name, value in headers.items()
        ]
        return response


def _is_local(origin: str) -> bool:
    try:
        return urlsplit(origin).hostname in LOCAL_HOSTS
    except ValueError:
        return False
