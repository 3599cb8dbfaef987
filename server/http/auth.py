"""API keys: required by every endpoint that does not say otherwise."""

import binascii
import hmac
from base64 import b64decode
from collections.abc import Iterable, Sequence

from starlette.datastructures import Headers
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from server.http.dialect import Endpoint, make_routes
from server.http.error_format import format_error
from server.http.errors import ApiError


class RequireApiKey:
    """Middleware that responds with 401 to a request without one of the keys, unless its endpoint needs none."""

    def __init__(self, app: ASGIApp, keys: Sequence[str], endpoints: Iterable[Endpoint]) -> None:
        self.app = app
        self.keys = [key.encode() for key in keys]
        self._open_routes = make_routes(endpoint for endpoint in endpoints if not endpoint.needs_key)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_open(scope) or self._is_known(get_api_key(Headers(scope=scope))):
            await self.app(scope, receive, send)
            return
        message = "Authorization: expected 'Bearer ' and an API key of this server, got none or another one"
        error = ApiError(401, message, headers={"WWW-Authenticate": "Bearer"})
        await format_error(scope, error).response()(scope, receive, send)

    def _is_open(self, scope: Scope) -> bool:
        return any(route.matches(scope)[0] is not Match.NONE for route in self._open_routes)

    def _is_known(self, key: bytes) -> bool:
        """Compares all keys, each in constant time, so that the response time reveals nothing about them."""
        matches = [hmac.compare_digest(key, known) for known in self.keys]
        return any(matches)


def get_api_key(headers: Headers) -> bytes:
    """Returns the API key of a request, or an empty one: of `Authorization: Bearer` or `Token`, else of `X-Api-Key`,
    else the user's name of `Authorization: Basic`."""
    scheme, _, credentials = headers.get("Authorization", "").partition(" ")
    if scheme.lower() in ("bearer", "token"):
        return credentials.strip().encode("latin-1")
    if "X-Api-Key" in headers or scheme.lower() != "basic":
        return headers.get("X-Api-Key", "").encode("latin-1")
    return _user_name(credentials)


def _user_name(credentials: str) -> bytes:
    """A password would follow the last colon."""
    try:
        return b64decode(credentials, validate=True).rpartition(b":")[0]
    except binascii.Error:
        return b""
