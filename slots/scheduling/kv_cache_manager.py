"""What the KV cache holds, and every change to it: the context, the slots and the prefix cache change together here."""

import logging
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from slots.cache.cell_pool import Cells
from slots.cache.chunk_reuse import ranges_to_remove
from slots.cache.prefix_cache import Match, Parked, PrefixCache
from slots.cache.saved_slot import SavedSlot
from slots.errors import InvalidRequest, SnapshotError
from slots.requests.request_state import Work
from slots.requests.slot import Slot
from slots.scheduling.scheduler import leader_of, note_common_prefixes, victims

_log = logging.getLogger("slots")

LEAST_COPIED = 16
"""Fewest tokens for which a sequence is copied: a short copy costs as much as computing 4."""

_COPIED_PER_COMPUTED = 512
"""Tokens of a sequence that are copied in about the time in which one is computed; for large models many more."""

_LEAST_PARKED = 16
"""Fewest tokens, of those that a slot would lose, for which it is parked."""

_NOTHING = Match({}, None, None, 0, 0)


class Sequences(Protocol):
    """What is asked of the llama context: see `slots.llama.Context`."""

    is_pool: bool
    can_share: bool
    can_cut: bool
    can_shift: bool
    n_ctx: int

    def keep_prefix(self, sequence: int, n_tokens: int) -> bool: ...
    def clear_sequence(self, sequence: int) -> None: ...
    def share_prefix(self, source: int, target: int, n_tokens: int) -> None: ...
    def snapshot_bytes(self, sequence: int) -> int: ...
    def snapshot(self, sequence: int) -> npt.NDArray[np.uint8]: ...
    def restore(self, sequence: int, snapshot: npt.NDArray[np.uint8]) -> None: ...
    def remove_range(self, sequence: int, start: int, end: int) -> None: ...


class KvCache:
    """Brings prefixes to where they are needed, and moves what loses its slot to host memory. The engine thread's."""

    def __init__(self, sequences: Sequences, slots: Sequence[Slot], cache_ram_mib: int) -> None:
        """`cache_ram_mib` bounds the parked prefixes; -1 is no limit, 0 parks none."""
        self.cells = Cells(sequences.n_ctx, len(slots)) if sequences.is_pool else None
        self.least_taken = 1 if sequences.can_share else LEAST_COPIED
        self._sequences = sequences
        self._slots = slots
        self._prefixes = PrefixCache(None if cache_ram_mib < 0 else cache_ram_mib << 20, can_cut=sequences.can_cut)

    def match(self, work: Work) -> Match:
        """What there is of a request's text, within its scope."""
        if work.is_on_its_own:
            return _NOTHING
        self._register()
        return self._prefixes.find(work.tokens, work.request.scope, work.n_reusable)

    def seat(self, slot: Slot, work: Work, match: Match) -> None:
        """Give an idle slot to a request. What the slot loses by it is parked; what there is of the request's text
        is brought in."""
        n_own = match.by_slot.get(slot.slot_id, 0)
        n_moved = self._reuse_chunks(slot, work, n_own, match.n_tokens)
        if not n_moved:
            self._let_go(slot, n_own)
        slot.take(work)
        self._prefixes.set_live(slot.slot_id, slot.cached[: slot.n_exact], slot.scope)
        note_common_prefixes(slot, self._slots)
        if not self._sequences.can_cut:
            self._plan_stops(work, match)
        if not n_moved:
            self._fill(slot, match)

    def catch_up(self) -> None:
        """Bring to the slots that are prefilling what others have computed of their prompts since."""
        leaders: list[Slot] = []
        prefilling = [slot for slot in self._slots if slot.is_prefilling]
        for slot in sorted(prefilling, key=lambda slot: slot.last_used):
            if leader_of(slot, leaders, self.least_taken) is None:
                leaders.append(slot)
            elif slot.waits_for is not None or not self._sequences.can_share:
                continue  # it takes all at once when that is there
            slot.waits_for = None
            if slot.work:
                self._fill(slot, self.match(slot.work))

    def note_computed(self, slot: Slot, tokens: Sequence[int]) -> None:
        """Take down that these tokens were computed behind what a slot has. A sequence that cannot be cut is parked
        where others' texts part from it, so that these can go on from there."""
        if slot.work:
            slot.work.note_evaluated(len(slot.cached), len(tokens))
        slot.cached += tokens
        if self.cells:
            self.cells.add(slot.slot_id, len(tokens))
        if not self._sequences.can_cut and slot.work and len(slot.cached) in slot.work.all_stops:
            self._park(slot, 0)

    def take_back(self, slot: Slot) -> None:
        """Cut off what was computed behind what a slot has, and that nobody wants."""
        self._sequences.keep_prefix(slot.slot_id, len(slot.cached))

    def forget(self, slot: Slot, start: int, end: int) -> None:
        """Leave the tokens [start, end) out of a slot's context, and of its work's text.

        Those behind are moved where that is possible, and computed again where not.
        """
        if slot.work:
            slot.work.remove(start, end)
        if not self._can_move(slot, start):
            self._stop_sharing(slot, start)
        if self._can_move(slot, start):
            self._remove_range(slot, start, end)
        else:
            self._cut(slot, start)

    def give_up(self, slot: Slot) -> None:
        """Free the cells of a slot; what it has is parked."""
        self._let_go(slot, 0)

    def drop(self, slot: Slot) -> None:
        """Free the cells of a slot, of whose contents nothing is certain any more."""
        self._sequences.clear_sequence(slot.slot_id)
        self._forget_from(slot, 0)

    def save(self, slot: Slot) -> SavedSlot:
        """All that a slot holds. Raises SnapshotError."""
        snapshot = self._sequences.snapshot(slot.slot_id)
        return SavedSlot(tuple(slot.cached), slot.n_exact, slot.scope, snapshot)

    def load(self, slot: Slot, saved: SavedSlot) -> None:
        """Make an idle slot hold what was saved. Raises InvalidRequest if it cannot hold that; it is then empty."""
        n_tokens = len(saved.tokens)
        if n_tokens > slot.n_ctx:
            raise InvalidRequest(
                "filename", f"expected at most {slot.n_ctx} tokens, the context of a slot, got {n_tokens}"
            )
        self._let_go(slot, 0)
        has_room = self._make_room(slot, n_tokens)
        if not has_room or not self._restore(slot, saved.snapshot, saved.tokens, n_tokens):
            raise InvalidRequest("filename", "the KV cache has no room for what was saved, or cannot take it")
        slot.inexact_from = saved.n_exact if saved.n_exact < n_tokens else None
        slot.scope = saved.scope
        slot.session = None
        slot.last_used = max(other.last_used for other in self._slots)
        self._prefixes.set_live(slot.slot_id, slot.cached[: slot.n_exact], slot.scope)

    def _plan_stops(self, work: Work, match: Match) -> None:
        """Have a sequence, which cannot be cut, parked behind the system prompt, and where it parts from another one
        that could not be taken: the next that parts there will find it."""
        places = (work.request.scope.n_public, match.n_agreed)
        work.stops |= {place for place in places if place - match.n_tokens >= _LEAST_PARKED}

    def _register(self) -> None:
        """Tell the prefix cache what the slots have computed since."""
        for slot in self._slots:
            n_known = self._prefixes.n_live(slot.slot_id)
            if slot.n_exact > n_known:
                self._prefixes.extend_live(slot.slot_id, slot.cached[n_known : slot.n_exact])

    def _fill(self, slot: Slot, match: Match) -> None:
        """Bring in what there is of a slot's text, from a parked sequence or from another slot."""
        # Sharing is free; otherwise a live sequence is copied twice and a parked one once.
        is_free = self._sequences.can_share
        prefers_parked = match.n_parked > match.n_live or (match.n_parked == match.n_live and not is_free)
        if prefers_parked and match.parked:
            self._unpark(slot, match.parked, match.n_parked)
        if match.slot_id is not None and match.slot_id != slot.slot_id:
            self._take_from(self._slots[match.slot_id], slot, match.n_live)

    def _take_from(self, source: Slot, slot: Slot, n_tokens: int) -> None:
        if len(source.cached) < n_tokens:
            return  # it gave way, to what was not restored in the end
        n_won = n_tokens - len(slot.cached)
        if self._sequences.can_share and n_won > 0:
            self._share(source, slot, n_tokens)
            return
        n_copied = len(source.cached)
        if _is_worth_copying(n_copied, n_won - self.least_taken) and self._make_room(slot, n_copied, spared=source):
            self._copy(source, slot, n_tokens)

    def _share(self, source: Slot, slot: Slot, n_tokens: int) -> None:
        _log.debug("slot %d shares %d tokens of slot %d", slot.slot_id, n_tokens, source.slot_id)
        self._sequences.share_prefix(source.slot_id, slot.slot_id, n_tokens)
        if self.cells:
            self.cells.share(source.slot_id, slot.slot_id, n_tokens)
        self._note_contents(slot, source.cached[:n_tokens])

    def _copy(self, source: Slot, slot: Slot, n_tokens: int) -> None:
        _log.debug("slot %d gets a copy of %d tokens from slot %d", slot.slot_id, n_tokens, source.slot_id)
        try:
            snapshot = self._sequences.snapshot(source.slot_id)
        except SnapshotError as error:
            _log.warning("slot %d could not be copied to slot %d: %s", source.slot_id, slot.slot_id, error)
        else:
            if self._restore(slot, snapshot, source.cached, n_tokens):
                return
        if slot.work:
            slot.work.is_on_its_own = True

    def _unpark(self, slot: Slot, parked: Parked, n_tokens: int) -> None:
        if not _is_worth_copying(len(parked.tokens), n_tokens - len(slot.cached) - LEAST_COPIED):
            return
        self._prefixes.use(parked)  # so that making room does not push it out
        if not self._make_room(slot, len(parked.tokens)):
            return
        _log.debug("slot %d gets %d tokens back from host memory", slot.slot_id, n_tokens)
        # What the slot has now need not be kept twice, unless the slot cannot go back to it.
        is_twice = n_tokens == len(parked.tokens) and self._sequences.can_cut
        if not self._restore(slot, parked.snapshot, parked.tokens, n_tokens) or is_twice:
            self._prefixes.take(parked)

    def _make_room(self, slot: Slot, n_cells: int, spared: Slot | None = None) -> bool:
        """Have idle slots give up what they hold until a slot's contents can be replaced by `n_cells` others."""
        if not self.cells:
            return True
        idle = sorted((other for other in self._slots if other.is_idle), key=lambda other: other.last_used)
        idle = [other for other in idle if other not in (slot, spared) and other.cached]
        giving_way = victims(n_cells - self.cells.n_free, idle, [slot], self.cells)
        for victim in giving_way or ():
            self.give_up(victim)
        return giving_way is not None

    def _restore(self, slot: Slot, snapshot: npt.NDArray[np.uint8], tokens: Sequence[int], n_kept: int) -> bool:
        """Replace what a slot has by the first tokens of a snapshot; if that fails, it is empty."""
        self.drop(slot)
        try:
            self._sequences.restore(slot.slot_id, snapshot)
        except SnapshotError as error:
            _log.warning("slot %d could not be given %d tokens back: %s", slot.slot_id, len(tokens), error)
            return False
        if self.cells:
            self.cells.add(slot.slot_id, len(tokens))
        self._note_contents(slot, tokens)
        self._cut(slot, n_kept)
        return len(slot.cached) == n_kept

    def _let_go(self, slot: Slot, n_kept: int) -> None:
        """Cut a slot down to its first tokens; what goes is parked, or as much of it as may be."""
        if self._sequences.can_cut and len(slot.cached) - n_kept >= _LEAST_PARKED:
            n_most = self._prefixes.n_parkable(len(slot.cached), self._sequences.snapshot_bytes(slot.slot_id))
            self._cut(slot, max(n_most, n_kept))
        self._park(slot, n_kept)
        self._cut(slot, n_kept)

    def _park(self, slot: Slot, n_kept: int) -> None:
        """Move what a slot is about to lose to host memory, unless it is somewhere else already."""
        n_tokens, tokens = slot.n_exact, slot.cached[: slot.n_exact]
        if n_tokens - n_kept < _LEAST_PARKED or not self._prefixes.has_room(1):
            return
        self._register()
        held = self._prefixes.find(tokens, slot.scope, n_tokens).by_slot
        if any(n_held == n_tokens and slot_id != slot.slot_id for slot_id, n_held in held.items()):
            return
        if self._prefixes.is_parked(tokens, slot.scope):
            return
        if n_tokens < len(slot.cached):
            self._cut(slot, n_tokens)
        if not self._prefixes.has_room(self._sequences.snapshot_bytes(slot.slot_id)):
            return
        try:
            self._prefixes.park(tokens, slot.scope, self._sequences.snapshot(slot.slot_id))
        except SnapshotError as error:
            _log.warning("slot %d loses %d tokens: %s", slot.slot_id, n_tokens, error)

    def _reuse_chunks(self, slot: Slot, work: Work, n_own: int, n_elsewhere: int) -> int:
        """Move chunks of what a slot has to where a prompt has them. Returns how many tokens there are of the prompt
        then, or 0 if nothing was moved.

        Moved chunks carry a trace of what stood before them: they are for the conversation that they come from only.
        """
        least = work.request.n_cache_reuse
        if not least or work.is_on_its_own or not self._is_same_party(slot, work):
            return 0
        prompt = work.tokens[: work.n_reusable]
        ranges, n_agreed = ranges_to_remove(slot.cached, prompt, n_own, least)
        first_moved = ranges[0][0] if ranges else n_agreed
        if n_agreed <= max(n_own, n_elsewhere) or not self._can_move(slot, first_moved):
            return 0
        if slot.inexact_from is None:
            self._park(slot, n_agreed)
        for start, end in ranges:
            self._remove_range(slot, start, end)
        self._cut(slot, n_agreed)
        slot.inexact_from = n_own
        return n_agreed

    def _is_same_party(self, slot: Slot, work: Work) -> bool:
        request = work.request
        same_session = request.session is not None and slot.session == request.session
        return slot.scope.salt == request.scope.salt and (same_session or request.scope.salt != "")

    def _can_move(self, slot: Slot, start: int) -> bool:
        """Whether tokens from `start` on can be moved: cells of a pool only while they are one slot's alone."""
        return self._sequences.can_shift and not (self.cells and self.cells.is_shared(slot.slot_id, start))

    def _stop_sharing(self, slot: Slot, start: int) -> None:
        """Let a slot have the cells from `start` on for itself, so that its text does not depend on who else has had
        its beginning: idle slots give up what they have, those that work compute again what they shared. Such a one is
        not at its own end, since the pool has no cells but this slot's."""
        if not (self._sequences.can_shift and self.cells):
            return
        slot.inexact_from = min(start, slot.n_exact)  # so that others' copies of what is to be moved are parked
        self._prefixes.cut_live(slot.slot_id, slot.n_exact)
        for other in self._slots:
            if other is not slot and self.cells.shares_with(slot.slot_id, other.slot_id, start):
                self._let_go(other, 0 if other.is_idle else start)

    def _remove_range(self, slot: Slot, start: int, end: int) -> None:
        self._sequences.remove_range(slot.slot_id, start, end)
        if self.cells:
            self.cells.remove(slot.slot_id, start, end)
        del slot.cached[start:end]
        slot.inexact_from = min(start, slot.n_exact)
        self._prefixes.cut_live(slot.slot_id, slot.n_exact)

    def _cut(self, slot: Slot, n_tokens: int) -> None:
        if not self._sequences.keep_prefix(slot.slot_id, n_tokens):
            n_tokens = 0
        self._forget_from(slot, n_tokens)

    def _forget_from(self, slot: Slot, n_tokens: int) -> None:
        slot.cut(n_tokens)
        self._prefixes.cut_live(slot.slot_id, slot.n_exact)
        if self.cells:
            self.cells.remove(slot.slot_id, n_tokens)

    def _note_contents(self, slot: Slot, tokens: Sequence[int]) -> None:
        slot.cached = list(tokens)
        slot.inexact_from = None
        self._prefixes.set_live(slot.slot_id, slot.cached, slot.scope)


def _is_worth_copying(n_copied: int, n_won: int) -> bool:
    """Whether a sequence of `n_copied` tokens is copied faster than that many of them, beyond the least, computed."""
    return n_won >= n_copied // _COPIED_PER_COMPUTED
