"""RequestRecord: what the log, the metrics and the traces say of a request."""

import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from server.http.errors import ApiError
    from slots.requests.events import Finished
    from slots.requests.sampling_params import SamplingParams

CLIENT_LEFT = 499
"""The status, as nginx calls it, of a request whose client does not wait for the response."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How the generation of one text ended, and what was asked for."""

    finished: "Finished"
    n_predict: int
    sampling: "SamplingParams"
    texts: tuple[str, str] | None = None
    """The prompt and what was generated; None unless the log may have them."""


@dataclass(slots=True)
class RequestRecord:
    request_id: str
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    """Of the request: those by which a trace goes on."""
    started: float = field(default_factory=time.perf_counter)
    started_at: int = field(default_factory=time.time_ns)
    """Nanoseconds since 1970."""
    seconds: float = 0.0
    """Until its end."""
    route: str | None = None
    """The path of its endpoint; None if there is none."""
    status: int = 0
    """Of the response; 0 before it starts."""
    error: "ApiError | None" = None
    """What went wrong, perhaps amid a stream."""
    client_left: bool = False
    adapters: tuple[str, ...] = ()
    """The names of the LoRA adapters that its texts are computed with."""
    answers: list[Answer] = field(default_factory=list)

    @property
    def code(self) -> int:
        """The status of the response, or of the error that ended a stream after a status of 200."""
        if self.client_left:
            return CLIENT_LEFT
        return self.error.status if self.error else self.status

    def model_name(self, base: str) -> str:
        """Returns the base model's name, and those of the adapters after a colon, as requests spell it."""
        return f"{base}:{'+'.join(self.adapters)}" if self.adapters else base


_current: ContextVar[RequestRecord | None] = ContextVar("request", default=None)


def current_record() -> RequestRecord | None:
    """Returns the record of the request that this task, or worker thread, works for."""
    return _current.get()


def set_current_record(record: RequestRecord) -> None:
    """Makes it the record of this task and of those that it will make."""
    _current.set(record)
