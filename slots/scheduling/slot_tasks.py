"""Errands that wait for their slots."""

from collections.abc import Sequence

from slots.engine.commands import SlotTask
from slots.errors import EngineError
from slots.requests.slot import Slot
from slots.scheduling.kv_cache_manager import KvCacheManager


class SlotTaskQueue:
    """By age. Belongs to the engine's thread."""

    def __init__(self) -> None:
        self._waiting: list[SlotTask] = []

    def __bool__(self) -> bool:
        """Whether any wait."""
        return bool(self._waiting)

    def add(self, task: SlotTask) -> None:
        """Let one wait."""
        self._waiting.append(task)

    def run_ready(self, slots: Sequence[Slot], cache: KvCacheManager) -> None:
        """Those whose slots are idle; who does not wait any more is forgotten."""
        self._waiting = [errand for errand in self._waiting if not errand.future.cancelled()]
        for errand in list(self._waiting):
            slot = slots[errand.slot_id]
            if slot.is_idle:
                self._waiting.remove(errand)
                errand.run(cache, slot)

    def fail_all(self, error: EngineError) -> None:
        """None of them will be done."""
        for errand in self._waiting:
            errand.fail(error)
        self._waiting.clear()
