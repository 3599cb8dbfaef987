"""Exception handlers: turn errors into responses. Unexpected ones are logged with a traceback."""

import logging
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.http.error_format import format_error
from server.http.errors import ApiError
from slots.errors import EngineError

logger = logging.getLogger("server")


def handle_error(request: Request, error: Exception) -> Response:
    return format_error(request.scope, error).response()


def handle_routing_error(request: Request, error: Exception) -> Response:
    """Handles Starlette's own errors: an unknown path (404) and a wrong method (405, with Allow)."""
    assert isinstance(error, HTTPException)
    path, allowed = request.url.path, (error.headers or {}).get("Allow")
    messages = {
        404: f"there is no endpoint at {path}",
        405: f"{path} takes {allowed}, got {request.method}",
    }
    message = messages.get(error.status_code, error.detail)
    return format_error(request.scope, ApiError(error.status_code, message, headers=error.headers)).response()


def handle_disconnect(_: Request, __: Exception) -> Response:
    return Response(status_code=499)


EXCEPTION_HANDLERS: dict[type[Exception], Callable[[Request, Exception], Response]] = {
    ApiError: handle_error,
    EngineError: handle_error,
    HTTPException: handle_routing_error,
    ClientDisconnect: handle_disconnect,
}


class CatchUnexpectedErrors:
    """Middleware that responds with 500 to an unexpected error. It runs inside the CORS middleware, so that a browser
    may read the response. A response that has started is broken off, so that it does not look complete."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_started = False

        async def note_start(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self.app(scope, receive, note_start)
        except Exception as error:
            if has_started or scope["type"] != "http":
                raise
            logger.exception("%s %s failed", scope["method"], scope["path"])
            await format_error(scope, error).response()(scope, receive, send)
