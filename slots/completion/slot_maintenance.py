"""Slot maintenance before each step: context shift, prefix sharing, eviction. A failure fails only the requests in the
affected slots."""

import logging
from collections.abc import Iterable, Sequence

from slots.completion.output_processor import OutputProcessor
from slots.errors import EngineError, internal_error
from slots.requests.events import Failed
from slots.requests.media import widen
from slots.requests.request_state import RequestState
from slots.requests.slot import Slot
from slots.scheduling.kv_cache_manager import KvCacheManager

_log = logging.getLogger("slots")

MIN_DISCARDABLE = 4
"""Tokens at the end of the context that can always be discarded, however many are to be kept."""


def n_kept(n_keep: int, n_prompt: int, n_public: int, n_ctx: int, *, has_bos: bool) -> int:
    """How many of the first tokens a context shift keeps: `n_keep` after the `n_public` ones of a system prompt or BOS;
    -1 keeps the whole prompt of `n_prompt` tokens."""
    wanted = n_prompt if n_keep < 0 else max(n_public, int(has_bos)) + n_keep
    return min(wanted, n_prompt, n_ctx - MIN_DISCARDABLE)


def discard_range(n_cached: int, n_kept: int, n_discard: int = 0) -> tuple[int, int]:
    """The tokens [start, end) to discard from a context of `n_cached` tokens: `n_discard` of those that are not kept,
    but not the last one of them; half of them if it is 0."""
    n_left = n_cached - n_kept
    return n_kept, n_kept + max(min(n_discard or n_left // 2, n_left - 1), 1)


def truncate_prompt(prompt: tuple[int, ...], n_kept: int, n_ctx: int) -> tuple[int, ...]:
    """Leave out blocks of half the space that is not kept, until the prompt fits and leaves space for generation. With
    blocks a growing conversation loses the same tokens several times in a row, and so finds the rest in the cache."""
    block = max((n_ctx - n_kept) // 2, 1)
    n_blocks = (len(prompt) - n_kept - block) // block
    start, end = widen(prompt, n_kept, n_kept + n_blocks * block)
    return prompt[:start] + prompt[end:]


class SlotMaintenance:
    """Changes what slots hold between steps. Engine thread only."""

    def __init__(self, slots: Sequence[Slot], cache: KvCacheManager, output: OutputProcessor, bos: int | None) -> None:
        self._slots = slots
        self._cache = cache
        self._output = output
        self._bos = bos

    def shift_contexts(self) -> None:
        """Discard tokens of the slots whose next token is beyond the end of the context."""
        for slot in self._slots:
            if slot.state is None or slot.n_ctx_left >= 0:
                continue
            try:
                self._shift(slot, slot.state)
            except Exception:
                _log.exception("request %d failed: its context could not be shifted", slot.state.request_id)
                self.fail([slot], internal_error())

    def pull_shared_prefixes(self) -> None:
        try:
            self._cache.share_progress()
        except Exception:
            prefilling = [slot for slot in self._slots if slot.is_prefilling]
            _log.exception("%d requests failed: their prefixes could not be shared", len(prefilling))
            self.fail(prefilling, internal_error())

    def park(self, slot: Slot) -> None:
        """Free the cells of an idle slot. Its tokens are parked, or lost if that fails."""
        try:
            self._cache.evict(slot)
        except Exception:
            _log.exception("slot %d loses its %d tokens: they could not be parked", slot.slot_id, len(slot.cached))
            self._cache.reset(slot)

    def fail(self, slots: Iterable[Slot], error: EngineError) -> None:
        """Fail the requests in slots, and empty the slots: what the KV cache has of them is unknown."""
        for slot in slots:
            self._output.finish_slot(slot, Failed(error))
            self._cache.reset(slot)

    def _shift(self, slot: Slot, state: RequestState) -> None:
        request = state.request
        has_bos = request.prompt[0] == self._bos
        kept = n_kept(request.n_keep, state.n_prompt, request.scope.n_public, slot.n_ctx, has_bos=has_bos)
        start, end = widen(slot.cached, *discard_range(len(slot.cached), kept, request.n_discard))
        _log.debug("request %d: context shift, tokens %d to %d are discarded", state.request_id, start, end - 1)
        self._cache.discard_range(slot, start, end)
