"""Commands: what the event loop sends to the engine thread."""

from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

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


@dataclass(frozen=True, slots=True, eq=False)
class LoadAdapter:
    """Load a LoRA adapter, while nothing is computed."""

    number: int
    path: Path
    future: "Future[None]" = field(default_factory=Future)


@dataclass(frozen=True, slots=True, eq=False)
class UnloadAdapter:
    """Free a LoRA adapter once no request uses it. New ones are not sent any more."""

    number: int
    future: "Future[None]" = field(default_factory=Future)


class Drain:
    """Fail what waits for a slot, or to be embedded."""


class Stop:
    """Fail everything and end the thread."""


Command = Submit | Cancel | SlotTask | Embed | LoadAdapter | UnloadAdapter | Drain | Stop
