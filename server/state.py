"""ServerState: what the endpoints share, and its accessors."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.requests import Request

from server.chat.system_prompt import SystemPrompt
from server.chat.template.chat_format import ChatFormat
from server.http.errors import ApiError
from server.http.http_stats import HttpStats
from server.http.request_tracking import Observer
from server.http.session import Sessions
from server.settings import Settings
from slots.engine import Engine

if TYPE_CHECKING:
    from server.fine_tuning.service import FineTuning
    from server.metrics.exposition import MetricsText
    from server.sleep import Sleeper


class ModelAsleep(Exception):
    """The model is not loaded, but can be: whoever asked for it has to wait for the sleeper."""


@dataclass(slots=True)
class ServerState:
    """`engine` is None while the model is not loaded."""

    settings: Settings
    engine: Engine | None = None
    chat_format: ChatFormat | None = None
    """None while the model is not loaded."""
    is_sleeping: bool = False
    """The model was unloaded, until a request needs it."""
    sleeper: "Sleeper | None" = None
    """None if the model stays loaded."""
    system_prompt: SystemPrompt = field(default_factory=SystemPrompt)
    """Applies to later requests; it is replaced as a whole."""
    http_stats: HttpStats = field(default_factory=HttpStats)
    observers: tuple[Observer, ...] = ()
    """What else is told of each request at its end."""
    fine_tuning: "FineTuning | None" = None
    """None while the model loads, and without a folder for it."""
    metrics: "MetricsText | None" = None
    """None before the first scrape."""
    slot_locks: Mapping[int, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    """Held while a slot is saved or restored."""


def get_settings(request: Request) -> Settings:
    return get_state(request).settings


def get_chat_format(request: Request) -> ChatFormat:
    """Raises ApiError (503) while the model loads, ModelAsleep while it sleeps."""
    state = get_state(request)
    if state.chat_format is None:
        raise _not_loaded(state)
    return state.chat_format


def get_engine(request: Request) -> Engine:
    """Raises ApiError (503) while the model loads, ModelAsleep while it sleeps."""
    state = get_state(request)
    if state.engine is None:
        raise _not_loaded(state)
    return state.engine


def max_file_bytes(state: ServerState) -> int:
    """Returns how large the file of a picture or sound may be; 0 while the model takes none."""
    return state.engine.media.max_bytes if state.engine and state.engine.media else 0


def _not_loaded(state: ServerState) -> Exception:
    return ModelAsleep() if state.is_sleeping else ApiError(503, "Loading model")


def get_fine_tuning(request: Request) -> "FineTuning":
    """Raises ApiError (503) while the model loads, and (501) if the server was started without a folder for it."""
    get_engine(request)
    fine_tuning = get_state(request).fine_tuning
    if fine_tuning is None:
        raise ApiError(501, "this server keeps no files and makes no fine-tunes; start it with `--fine-tune-path DIR`")
    return fine_tuning


def get_sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


def get_state(request: Request) -> ServerState:
    state: ServerState = request.app.state.server
    return state
