"""Commands: what the event loop sends to the engine thread."""

from dataclasses import dataclass

from slots.embedding.request import EmbeddingJob
from slots.requests.request_state import RequestState
from slots.requests.stream import CompletionStream
from slots.scheduling.slot_tasks import SlotTask


@dataclass(frozen=True, slots=True)
class Submit:
    state: RequestState
    stream: CompletionStream


@dataclass(frozen=True, slots=True)
class Cancel:
    request_id: int


@dataclass(frozen=True, slots=True)
class Embed:
    job: EmbeddingJob


class Drain:
    """Fail what waits for a slot, or to be embedded."""


class Stop:
    """Fail everything and end the thread."""


Command = Submit | Cancel | SlotTask | Embed | Drain | Stop
