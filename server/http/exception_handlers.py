"""Where exceptions end: expected ones become answers, unexpected ones an answer and a traceback in the log."""

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
    """Starlette's own errors: an unknown path (404) and a wrong method (405, with Allow)."""
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
    """Answers 500 when anything below raises what nobody expected. It sits below the CORS headers, so that a
    browser may read this answer too. An answer that has begun is broken off: its client must not take it for whole."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def note_begin(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, note_begin)
        except Exception as error:
            if begun or scope["type"] != "http":
                raise
            logger.exception("%s %s failed", scope["method"], scope["path"])
            await format_error(scope, error).response()(scope, receive, send)
