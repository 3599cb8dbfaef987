"""API keys: required on every path except the health checks of load balancers."""

import hmac
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from server.http.error_format import format_error
from server.http.errors import ApiError

OPEN_PATHS = frozenset({"/health", "/v1/health"})
BEARER = "bearer "


class RequireApiKey:
    """Middleware that responds with 401 to a request without one of the keys, as `Authorization: Bearer KEY` or
    `X-Api-Key: KEY`."""

    def __init__(self, app: ASGIApp, keys: Sequence[str]) -> None:
        self.app = app
        self.keys = [key.encode() for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS or self._is_known(get_api_key(Headers(scope=scope))):
            await self.app(scope, receive, send)
            return
        message = "Authorization: expected 'Bearer ' and an API key of this server, got none or another one"
        error = ApiError(401, message, headers={"WWW-Authenticate": "Bearer"})
        await format_error(scope, error).response()(scope, receive, send)

    def _is_known(self, key: bytes) -> bool:
        """Compares all keys, each in constant time, so that the response time reveals nothing about them."""
        matches = [hmac.compare_digest(key, known) for known in self.keys]
        return any(matches)


def get_api_key(headers: Headers) -> bytes:
    """Returns the API key of a request, or an empty one."""
    authorization = headers.get("Authorization", "")
    is_bearer = authorization[: len(BEARER)].lower() == BEARER
    key = authorization[len(BEARER) :].strip() if is_bearer else headers.get("X-Api-Key", "")
    return key.encode("latin-1")
