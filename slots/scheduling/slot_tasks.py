"""Slot tasks: save, restore and erase, which wait until their slot is idle."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from slots.errors import EngineError
from slots.requests.slot import Slot
from slots.scheduling.kv_cache_manager import KvCacheManager


@dataclass(frozen=True, slots=True, eq=False)
class SlotTask:
    """An action on the contents of one slot."""

    slot_id: int
    action: Callable[[KvCacheManager, Slot], Any]
    future: "Future[Any]" = field(default_factory=Future)
    """Gets what `action` returns or raises; cancelled if the caller has gone away."""

    def run(self, cache: KvCacheManager, slot: Slot) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            self.future.set_result(self.action(cache, slot))
        except Exception as error:
            self.future.set_exception(error)

    def fail(self, error: Exception) -> None:
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class SlotTaskQueue:
    """Slot tasks in the order of arrival. Engine thread only."""

    def __init__(self) -> None:
        self.tasks: list[SlotTask] = []

    def run_ready(self, slots: Sequence[Slot], cache: KvCacheManager) -> None:
        """Run the tasks whose slot is idle. Tasks whose caller has gone away are dropped."""
        self.tasks = [task for task in self.tasks if not task.future.cancelled()]
        for task in list(self.tasks):
            slot = slots[task.slot_id]
            if slot.is_idle:
                self.tasks.remove(task)
                task.run(cache, slot)

    def fail_all(self, error: EngineError) -> None:
        for task in self.tasks:
            task.fail(error)
        self.tasks.clear()
