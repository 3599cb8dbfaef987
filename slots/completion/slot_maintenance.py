"""What is done to slots before a step is computed. Where that fails, it does so for those that it is done for."""

import logging
from collections.abc import Iterable, Sequence

from slots.completion.output_processor import Told
from slots.context_shift import discarded, n_kept
from slots.errors import EngineError, internal_error
from slots.requests.events import Failed
from slots.requests.request_state import Work
from slots.requests.slot import Slot
from slots.scheduling.kv_cache_manager import KvCache

_log = logging.getLogger("slots")


class Upkeep:
    """Makes room in slots and fills them. Belongs to the engine's thread."""

    def __init__(self, slots: Sequence[Slot], cache: KvCache, told: Told, bos: int | None) -> None:
        """`bos` is the token that begins a text, if there is one."""
        self._slots = slots
        self._cache = cache
        self._told = told
        self._bos = bos

    def shift_contexts(self) -> None:
        """Make room in the slots whose next token is beyond the end of the context."""
        for slot in self._slots:
            if slot.work is None or slot.n_room >= 0:
                continue
            try:
                self._shift(slot, slot.work)
            except Exception:
                _log.exception("request %d failed: its context could not be shifted", slot.work.number)
                self.abandon([slot], internal_error())

    def catch_up(self) -> None:
        """Bring to the slots that are prefilling what others have computed of their prompts since."""
        try:
            self._cache.catch_up()
        except Exception:
            prefilling = [slot for slot in self._slots if slot.is_prefilling]
            _log.exception("%d requests failed: their prompts could not be taken from others", len(prefilling))
            self.abandon(prefilling, internal_error())

    def give_up(self, slot: Slot) -> None:
        """Free the cells of a slot that does not work. What it has is parked, or lost if that fails."""
        try:
            self._cache.give_up(slot)
        except Exception:
            _log.exception("slot %d loses its %d tokens: they could not be parked", slot.slot_id, len(slot.cached))
            self._cache.drop(slot)

    def abandon(self, slots: Iterable[Slot], error: EngineError) -> None:
        """Fail the requests in slots; nothing is taken for granted of what they have in the KV cache."""
        for slot in slots:
            self._told.release(slot, Failed(error))
            self._cache.drop(slot)

    def _shift(self, slot: Slot, work: Work) -> None:
        request = work.request
        has_bos = request.prompt[0] == self._bos
        kept = n_kept(request.n_keep, work.n_prompt, request.scope.n_public, slot.n_ctx, has_bos=has_bos)
        start, end = discarded(len(slot.cached), kept)
        _log.debug("request %d: the context is full, tokens %d to %d go", work.number, start, end - 1)
        self._cache.forget(slot, start, end)
