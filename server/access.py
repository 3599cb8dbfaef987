"""What an endpoint gets at through its request."""

from starlette.requests import Request

from server.chat.template.template import ChatTemplate
from server.http.errors import ApiError
from server.http.session import Sessions
from server.settings import Settings
from server.state import ServerState
from slots.engine import Engine


def settings_of(request: Request) -> Settings:
    return state_of(request).settings


def chat_template_of(request: Request) -> ChatTemplate:
    """Raises ApiError (503) while the model loads."""
    template = state_of(request).chat_template
    if template is None:
        raise ApiError(503, "Loading model")
    return template


def engine_of(request: Request) -> Engine:
    """Raises ApiError (503) while the model loads."""
    engine = state_of(request).engine
    if engine is None:
        raise ApiError(503, "Loading model")
    return engine


def sessions_of(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


def state_of(request: Request) -> ServerState:
    state: ServerState = request.app.state.server
    return state
