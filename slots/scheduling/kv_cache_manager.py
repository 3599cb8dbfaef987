"""KV cache manager: every change to the KV cache, made together in the context, the slots and the prefix cache.

kv_unified: one pool of cells. A cell can belong to several sequences, so a prefix is shared at no cost.

    cells     | system prompt | slot 0 ...... | slot 1 ...... | free ............. |
    slot 0     <-------------> <------------->
    slot 1     <------------->                 <------------->

Otherwise: one stream of cells per sequence. A prefix is copied, as a snapshot that is truncated afterwards.

    slot 0    | system prompt | slot 0 ...... | free |
    slot 1    | system prompt | slot 1 ...... | free |

In both, the tokens that a slot loses are parked: their snapshot is kept in host memory, within a budget.
"""

import logging
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from slots.cache.cell_pool import CellPool
from slots.cache.chunk_reuse import ranges_to_remove
from slots.cache.prefix_cache import ParkedSequence, PrefixCache, PrefixMatch
from slots.cache.saved_slot import SavedSlot
from slots.errors import InvalidRequest, SnapshotError
from slots.metrics.cache_stats import CacheStats
from slots.requests.cache_use import CacheSource
from slots.requests.media import cut_before, is_media
from slots.requests.request_state import RequestState
from slots.requests.slot import Slot
from slots.scheduling.cache_report import CacheReport
from slots.scheduling.scheduler import prefill_leader, record_shared_prefixes, slots_to_evict

_log = logging.getLogger("slots")

MIN_COPIED_TOKENS = 16
"""Minimum gain for which a sequence is copied: a short copy costs as much as computing 4 tokens."""

_COPIED_PER_COMPUTED = 512
"""Tokens that are copied in about the time in which one is computed; many more with a large model."""

_MIN_PARKED_TOKENS = 16
"""Minimum number of tokens that a slot would lose for which it is parked."""

_NO_MATCH = PrefixMatch({}, None, None, 0, 0)


class SequenceMemory(Protocol):
    is_unified: bool
    can_share: bool
    can_truncate: bool
    can_shift: bool
    n_ctx: int

    def keep_prefix(self, sequence: int, n_tokens: int) -> bool: ...
    def clear_sequence(self, sequence: int) -> None: ...
    def share_prefix(self, source: int, target: int, n_tokens: int) -> None: ...
    def snapshot_bytes(self, sequence: int) -> int: ...
    def snapshot(self, sequence: int) -> npt.NDArray[np.uint8]: ...
    def restore(self, sequence: int, snapshot: npt.NDArray[np.uint8]) -> None: ...
    def remove_range(self, sequence: int, start: int, end: int) -> None: ...


class KvCacheManager:
    """Loads prefixes into slots and parks what slots lose. Engine thread only."""

    def __init__(self, memory: SequenceMemory, slots: Sequence[Slot], cache_ram_mib: int) -> None:
        """`cache_ram_mib` limits the parked sequences; -1 means no limit, 0 parks none."""
        self.cells = CellPool(memory.n_ctx, len(slots)) if memory.is_unified else None
        self.min_shared_tokens = 1 if memory.can_share else MIN_COPIED_TOKENS
        self._memory = memory
        self._slots = slots
        self._prefixes = PrefixCache(
            None if cache_ram_mib < 0 else cache_ram_mib << 20, can_truncate=memory.can_truncate
        )
        self._report = CacheReport(self._prefixes)

    def match(self, state: RequestState) -> PrefixMatch:
        if state.skip_cache:
            return _NO_MATCH
        self._sync_prefixes()
        return self._prefixes.match(state.tokens, state.scope, state.max_cached)

    def prepare_slot(self, slot: Slot, state: RequestState, match: PrefixMatch) -> None:
        """Give an idle slot to a request: park what the slot loses, and load the cached part of the request's text."""
        n_own = match.by_slot.get(slot.slot_id, 0)
        n_reused = self._reuse_chunks(slot, state, n_own, match.n_tokens)
        if not n_reused:
            self._shrink(slot, n_own)
        slot.assign(state)
        self._prefixes.set_live(slot.slot_id, slot.cached[: slot.n_unshifted], slot.scope)
        record_shared_prefixes(slot, self._slots)
        if not self._memory.can_truncate:
            self._plan_checkpoints(state, match)
        self._report.note_gain(slot, 0, CacheSource.OWN_SLOT, slot.slot_id)
        if not n_reused:
            self._load_prefix(slot, match, CacheSource.OTHER_SLOT)
        if state.n_decoded == 0:
            state.cache_miss = self._report.explain(state, match, len(slot.cached))

    def share_progress(self) -> None:
        """Load newly computed prefixes into the slots in prefill that have them in their prompts."""
        leaders: list[Slot] = []
        prefilling = [slot for slot in self._slots if slot.is_prefilling]
        for slot in sorted(prefilling, key=lambda slot: slot.last_used):
            if prefill_leader(slot, leaders, self.min_shared_tokens) is None:
                leaders.append(slot)
            elif slot.waits_for is not None or not self._memory.can_share:
                continue  # it waits until its leader has computed all of the prefix
            slot.waits_for = None
            if slot.state:
                n_before = len(slot.cached)
                self._load_prefix(slot, self.match(slot.state), CacheSource.BURST)
                if len(slot.cached) > n_before:
                    self._report.note_burst(slot)

    def commit(self, slot: Slot, tokens: Sequence[int]) -> None:
        """Record that the next tokens of a slot are computed. At checkpoints, for diverging prompts, it is parked."""
        if slot.state:
            self.stats.n_computed_tokens += slot.state.count_computed(len(slot.cached), len(tokens))
        slot.cached += tokens
        if self.cells:
            self.cells.add(slot.slot_id, len(tokens))
        if not self._memory.can_truncate and slot.state and len(slot.cached) in slot.state.all_checkpoints:
            self._park(slot, 0)

    def commit_next(self, slots: Sequence[Slot], tokens: Sequence[int]) -> None:
        """Record that the next token of each of several slots that generate is computed, as `commit` does for one."""
        for slot, token in zip(slots, tokens, strict=True):
            slot.cached.append(token)
        if self.cells:
            self.cells.add_one_each([slot.slot_id for slot in slots])
        if not self._memory.can_truncate:
            for slot in slots:
                if slot.state and len(slot.cached) in slot.state.checkpoints:
                    self._park(slot, 0)

    def rollback(self, slot: Slot) -> None:
        """Remove what was computed in the context after the committed tokens of a slot. If the memory cannot go back so
        far, the slot is empty."""
        if not self._memory.keep_prefix(slot.slot_id, slot.next_position):
            self._record_truncation(slot, 0)

    def discard_range(self, slot: Slot, start: int, end: int) -> None:
        """Remove the tokens [start, end) from a slot and its request; shift the following, or compute them again."""
        if slot.state:
            slot.state.remove(start, end)
        if not self._can_shift(slot, start):
            self._unshare(slot, start)
        if self._can_shift(slot, start):
            self._remove_range(slot, start, end)
        else:
            self._truncate(slot, start)
        if slot.state and slot.scope != slot.state.scope:
            slot.scope = slot.state.scope
            self._prefixes.set_live(slot.slot_id, slot.cached[: slot.n_unshifted], slot.scope)

    def evict(self, slot: Slot) -> None:
        self._shrink(slot, 0)

    def reset(self, slot: Slot) -> None:
        """Free a slot's cells without parking, as its contents are unknown or not wanted."""
        self._memory.clear_sequence(slot.slot_id)
        self._record_truncation(slot, 0)

    def save(self, slot: Slot) -> SavedSlot:
        """Returns a copy of a slot's contents. Raises SnapshotError."""
        snapshot = self._memory.snapshot(slot.slot_id)
        return SavedSlot(tuple(slot.cached), slot.n_unshifted, slot.scope, snapshot)

    def load(self, slot: Slot, saved: SavedSlot) -> None:
        """Replace the contents of an idle slot. Raises InvalidRequest if that is impossible; the slot is then empty."""
        n_tokens = len(saved.tokens)
        if n_tokens > slot.n_ctx:
            raise InvalidRequest(
                "filename", f"expected at most {slot.n_ctx} tokens, the context of a slot, got {n_tokens}"
            )
        self._shrink(slot, 0)
        has_room = self._free_cells(slot, n_tokens)
        if not has_room or not self._restore(slot, saved.snapshot, saved.tokens, n_tokens):
            raise InvalidRequest("filename", "the KV cache has no room for what was saved, or cannot take it")
        slot.shifted_from = saved.n_unshifted if saved.n_unshifted < n_tokens else None
        slot.scope = saved.scope
        slot.session = None
        slot.last_used = max(other.last_used for other in self._slots)
        self._prefixes.set_live(slot.slot_id, slot.cached[: slot.n_unshifted], slot.scope)

    def _plan_checkpoints(self, state: RequestState, match: PrefixMatch) -> None:
        """Set checkpoints after the system prompt, before the first token with adapters, and where the prompt diverges
        from a sequence that it cannot use."""
        lengths = (state.scope.n_public, state.scope.n_base, match.n_common)
        state.checkpoints |= {length for length in lengths if length - match.n_tokens >= _MIN_PARKED_TOKENS}

    @property
    def stats(self) -> CacheStats:
        return self._report.stats

    @property
    def prefixes(self) -> PrefixCache:
        """What is cached, to be looked at."""
        return self._prefixes

    def _sync_prefixes(self) -> None:
        for slot in self._slots:
            n_known = self._prefixes.n_live(slot.slot_id)
            if slot.n_unshifted > n_known:
                self._prefixes.extend_live(slot.slot_id, slot.cached[n_known : slot.n_unshifted])

    def _load_prefix(self, slot: Slot, match: PrefixMatch, source: CacheSource) -> None:
        """Load the matching prefix into a slot, from a parked sequence or from another slot, which is then `source`."""
        # Sharing is free. Without it, a live sequence is copied twice and a parked one once.
        is_free = self._memory.can_share
        prefers_parked = match.n_parked > match.n_live or (match.n_parked == match.n_live and not is_free)
        n_before = len(slot.cached)
        if prefers_parked and match.parked:
            self._unpark(slot, match.parked, match.n_parked)
            self._report.note_gain(slot, n_before, CacheSource.PARKED, None)
        n_before = len(slot.cached)
        if match.slot_id is not None and match.slot_id != slot.slot_id:
            self._copy_prefix(self._slots[match.slot_id], slot, match.n_live)
            self._report.note_gain(slot, n_before, source, match.slot_id)

    def _copy_prefix(self, source: Slot, slot: Slot, n_tokens: int) -> None:
        if len(source.cached) < n_tokens:
            return  # it was evicted for a parked sequence that could not be restored
        n_gained = n_tokens - len(slot.cached)
        if self._memory.can_share and n_gained > 0:
            self._share(source, slot, n_tokens)
            return
        n_copied = len(source.cached)
        if _is_worth_copying(n_copied, n_gained - self.min_shared_tokens) and self._free_cells(
            slot, n_copied, spared=source
        ):
            self._copy(source, slot, n_tokens)

    def _share(self, source: Slot, slot: Slot, n_tokens: int) -> None:
        _log.debug("slot %d shares %d tokens of slot %d", slot.slot_id, n_tokens, source.slot_id)
        self._memory.share_prefix(source.slot_id, slot.slot_id, source.position_of(n_tokens))
        if self.cells:
            self.cells.share(source.slot_id, slot.slot_id, n_tokens)
        self._set_contents(slot, source.cached[:n_tokens])

    def _copy(self, source: Slot, slot: Slot, n_tokens: int) -> None:
        _log.debug("slot %d gets a copy of %d tokens from slot %d", slot.slot_id, n_tokens, source.slot_id)
        try:
            snapshot = self._memory.snapshot(source.slot_id)
        except SnapshotError as error:
            _log.warning("slot %d could not be copied to slot %d: %s", source.slot_id, slot.slot_id, error)
        else:
            if self._restore(slot, snapshot, source.cached, n_tokens):
                return
        if slot.state:
            slot.state.skip_cache = True

    def _unpark(self, slot: Slot, parked: ParkedSequence, n_tokens: int) -> None:
        if not _is_worth_copying(len(parked.tokens), n_tokens - len(slot.cached) - MIN_COPIED_TOKENS):
            return
        self._prefixes.touch(parked)  # so that parking others does not remove it
        if not self._free_cells(slot, len(parked.tokens)):
            return
        _log.debug("slot %d gets %d tokens from host memory", slot.slot_id, n_tokens)
        # The slot has all of its tokens now and, if it can be truncated, can go back to any of them.
        is_superseded = n_tokens == len(parked.tokens) and self._memory.can_truncate
        if not self._restore(slot, parked.snapshot, parked.tokens, n_tokens) or is_superseded:
            self._prefixes.remove(parked)

    def _free_cells(self, slot: Slot, n_cells: int, spared: Slot | None = None) -> bool:
        """Evict idle slots until a slot's contents can be replaced by `n_cells` cells; False if that is impossible."""
        if not self.cells:
            return True
        idle = sorted((other for other in self._slots if other.is_idle), key=lambda other: other.last_used)
        idle = [other for other in idle if other not in (slot, spared) and other.cached]
        victims = slots_to_evict(n_cells - self.cells.n_free, idle, [slot], self.cells)
        for victim in victims or ():
            self.evict(victim)
            self.stats.n_evicted_slots += 1
        return victims is not None

    def _restore(self, slot: Slot, snapshot: npt.NDArray[np.uint8], tokens: Sequence[int], n_kept: int) -> bool:
        """Replace a slot's contents by the first `n_kept` tokens of a snapshot; if that fails the slot is empty."""
        self.reset(slot)
        try:
            self._memory.restore(slot.slot_id, snapshot)
        except SnapshotError as error:
            _log.warning("%d tokens could not be restored to slot %d: %s", len(tokens), slot.slot_id, error)
            return False
        if self.cells:
            self.cells.add(slot.slot_id, len(tokens))
        self._set_contents(slot, tokens)
        self._truncate(slot, n_kept)
        return len(slot.cached) == n_kept

    def _shrink(self, slot: Slot, n_kept: int) -> None:
        """Truncate a slot to its first tokens. The others are parked, as many as the budget allows."""
        if slot.n_unshifted - n_kept >= _MIN_PARKED_TOKENS and not self._can_park(slot):
            self._report.note_lost(slot, slot.n_unshifted)
        if self._memory.can_truncate and len(slot.cached) - n_kept >= _MIN_PARKED_TOKENS:
            n_parkable = self._prefixes.n_parkable(len(slot.cached), self._memory.snapshot_bytes(slot.slot_id))
            self._truncate(slot, max(n_parkable, n_kept))
        self._park(slot, n_kept)
        self._truncate(slot, n_kept)

    def _can_park(self, slot: Slot) -> bool:
        """Whether the budget has room for all of a slot."""
        return self._prefixes.has_room(1) and self._prefixes.has_room(self._memory.snapshot_bytes(slot.slot_id))

    def _park(self, slot: Slot, n_kept: int) -> None:
        """Copy a slot that will keep only `n_kept` tokens to host memory, unless it is cached elsewhere."""
        n_tokens, tokens = slot.n_unshifted, slot.cached[: slot.n_unshifted]
        if n_tokens - n_kept < _MIN_PARKED_TOKENS or not self._prefixes.has_room(1):
            return
        self._sync_prefixes()
        by_slot = self._prefixes.match(tokens, slot.scope, n_tokens).by_slot
        if any(n_matched == n_tokens and slot_id != slot.slot_id for slot_id, n_matched in by_slot.items()):
            return
        if self._prefixes.is_parked(tokens, slot.scope):
            return
        if n_tokens < len(slot.cached):
            self._truncate(slot, n_tokens)
        if not self._prefixes.has_room(self._memory.snapshot_bytes(slot.slot_id)):
            return
        try:
            self._prefixes.park(tokens, slot.scope, self._memory.snapshot(slot.slot_id))
        except SnapshotError as error:
            _log.warning("slot %d loses %d tokens: %s", slot.slot_id, n_tokens, error)

    def _reuse_chunks(self, slot: Slot, state: RequestState, n_own: int, n_elsewhere: int) -> int:
        """Shift chunks of a slot's tokens to where a prompt has them. Returns how many tokens of the prompt the slot
        holds then, 0 if none was shifted. Their keys and values depend on the removed tokens, so only their own
        conversation may use them."""
        min_chunk = state.request.n_cache_reuse
        if not min_chunk or state.skip_cache or not self._same_owner(slot, state):
            return 0
        if any(map(is_media, (*slot.cached[n_own:], *state.tokens[n_own:]))):
            return 0  # chunks could begin or end within media
        prompt = state.tokens[: state.max_cached]
        ranges, n_matched = ranges_to_remove(slot.cached, prompt, n_own, min_chunk)
        first_shifted = ranges[0][0] if ranges else n_matched
        if n_matched <= max(n_own, n_elsewhere) or not self._can_shift(slot, first_shifted):
            return 0
        if slot.shifted_from is None:
            self._park(slot, n_matched)
        for start, end in ranges:
            self._remove_range(slot, start, end)
        self._truncate(slot, n_matched)
        slot.shifted_from = n_own
        return n_matched

    def _same_owner(self, slot: Slot, state: RequestState) -> bool:
        request, scope = state.request, state.scope
        if slot.scope.adapters != scope.adapters or slot.scope.n_base or scope.n_base:
            return False
        same_session = request.session is not None and slot.session == request.session
        return slot.scope.salt == scope.salt and (same_session or scope.salt != "")

    def _can_shift(self, slot: Slot, start: int) -> bool:
        """Whether tokens from `start` on can be shifted: not if another slot shares their cells."""
        return self._memory.can_shift and not (self.cells and self.cells.is_shared(slot.slot_id, start))

    def _unshare(self, slot: Slot, start: int) -> None:
        """Make a slot the only one with its cells from `start` on, so that other slots do not influence its text: idle
        ones are evicted, busy ones compute their tokens again. This slot fills the pool, so none of those is full."""
        if not (self._memory.can_shift and self.cells):
            return
        slot.shifted_from = min(start, slot.n_unshifted)  # so that _shrink parks the other slots' copies
        self._prefixes.truncate_live(slot.slot_id, slot.n_unshifted)
        for other in self._slots:
            if other is not slot and self.cells.shares_with(slot.slot_id, other.slot_id, start):
                self._shrink(other, 0 if other.is_idle else start)

    def _remove_range(self, slot: Slot, start: int, end: int) -> None:
        self._memory.remove_range(slot.slot_id, start, end)
        if self.cells:
            self.cells.remove(slot.slot_id, start, end)
        del slot.cached[start:end]
        slot.shifted_from = min(start, slot.n_unshifted)
        self._prefixes.truncate_live(slot.slot_id, slot.n_unshifted)

    def _truncate(self, slot: Slot, n_tokens: int) -> None:
        n_tokens = cut_before(slot.cached, n_tokens)
        if not self._memory.keep_prefix(slot.slot_id, slot.position_of(n_tokens)):
            n_tokens = 0
        self._record_truncation(slot, n_tokens)

    def _record_truncation(self, slot: Slot, n_tokens: int) -> None:
        slot.truncate(n_tokens)
        self._prefixes.truncate_live(slot.slot_id, slot.n_unshifted)
        if self.cells:
            self.cells.remove(slot.slot_id, n_tokens)

    def _set_contents(self, slot: Slot, tokens: Sequence[int]) -> None:
        slot.cached = list(tokens)
        slot.shifted_from = None
        self._prefixes.set_live(slot.slot_id, slot.cached, slot.scope)


def _is_worth_copying(n_copied: int, n_gained: int) -> bool:
    return n_gained >= n_copied // _COPIED_PER_COMPUTED
