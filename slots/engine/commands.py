"""What the event loop asks of the engine's thread."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from slots.embedding.request import EmbeddingJob
from slots.requests.request_state import RequestState
from slots.requests.slot import Slot
from slots.requests.stream import CompletionStream
from slots.scheduling.kv_cache_manager import KvCacheManager


@dataclass(frozen=True, slots=True)
class Submit:
    state: RequestState
    stream: CompletionStream


@dataclass(frozen=True, slots=True)
class Cancel:
    request_id: int
    """Of the request."""


@dataclass(frozen=True, slots=True, eq=False)
class SlotTask:
    """Something to do with what a slot holds, as soon as the slot is idle."""

    slot_id: int
    action: Callable[[KvCacheManager, Slot], Any]
    future: "Future[Any]" = field(default_factory=Future)
    """Gets what `run` returns or raises; cancelled when nobody waits for it any more."""

    def run(self, cache: KvCacheManager, slot: Slot) -> None:
        """Do it, to the slot that it is for."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            self.future.set_result(self.action(cache, slot))
        except Exception as error:
            self.future.set_exception(error)

    def fail(self, error: Exception) -> None:
        """It will not be done."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


@dataclass(frozen=True, slots=True)
class Embed:
    job: EmbeddingJob


class Drain:
    """Fail what waits for a slot, or to be embedded."""


class Stop:
    """Fail everything and end the thread."""


Command = Submit | Cancel | SlotTask | Embed | Drain | Stop
