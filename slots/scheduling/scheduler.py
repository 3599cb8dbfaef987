"""Scheduler: decides which slot a request gets and what goes into the next batch. Pure: no ctypes, threads or clock."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from slots.cache.cell_pool import CellPool
from slots.cache.prefix_cache import PrefixMatch
from slots.cache.radix_tree import common_prefix_length
from slots.requests.adapters import NO_ADAPTERS, AdapterSet
from slots.requests.draft import NO_DRAFT, Draft
from slots.requests.media import cut_before
from slots.requests.request_state import RequestState
from slots.requests.slot import Slot
from slots.scheduling.adapter_turns import AdapterTurns

_MAX_FILLER_SLOTS = 3
"""Maximum number of filler slots in a row. Each costs some tenths of a pass, less with a larger model or more cores."""


def record_shared_prefixes(slot: Slot, slots: Iterable[Slot]) -> None:
    for other in slots:
        if other is not slot and slot.state and other.state and other.is_prefilling:
            n_common = common_prefix_length(slot.state.tokens, other.state.tokens)
            n_common = cut_before(slot.state.tokens, slot.scope.shareable(other.scope, n_common))
            if n_common > 0:
                slot.state.shared_prefixes[other.state.request_id] = n_common
                other.state.shared_prefixes[slot.state.request_id] = n_common


def prefill_leader(slot: Slot, others: Iterable[Slot], min_shared: int) -> Slot | None:
    """Returns the slot of an older request that will compute `min_shared` or more tokens which this one can share."""
    if not slot.state or not slot.state.shared_prefixes or slot.is_generating:
        return None
    for other in others:
        n_common = _n_shared(slot, other)
        if n_common > len(other.cached) and n_common - len(slot.cached) >= min_shared:
            return other
    return None


def _n_shared(slot: Slot, older: Slot) -> int:
    """How many tokens a slot can share with the slot of an older request once that has computed them."""
    state, leading = slot.state, older.state
    if not state or not leading or leading.request_id >= state.request_id or state.skip_cache:
        return 0
    n_common = min(state.shared_prefixes.get(leading.request_id, 0), state.max_cached)
    return n_common if older.shifted_from is None else min(n_common, older.shifted_from)


@dataclass(frozen=True, slots=True)
class SchedulerConfig:
    n_batch: int
    n_chunk: int
    """Maximum prefill tokens in a step that also generates, so that a long prompt does not stall other slots."""
    min_shared_tokens: int = 1
    """Minimum number of tokens for which waiting for another slot's prefix is worthwhile."""
    can_truncate: bool = True
    """Whether a part of a sequence can be used. If not, a prefill stops at each checkpoint, to be copied as a whole."""
    n_media_chunk: int = 1 << 30
    """As `n_chunk`, for cells of media that can be cut: see MediaPace."""


@dataclass(frozen=True, slots=True)
class ScheduledSlot:
    """A slot's part of a batch: its next `n_tokens` uncomputed tokens, and the drafted tokens after them."""

    slot: Slot
    n_tokens: int
    draft: Draft = NO_DRAFT

    @property
    def tokens(self) -> list[int]:
        return self.slot.uncomputed[: self.n_tokens]

    @property
    def is_media(self) -> bool:
        return self.slot.has_media_next


@dataclass(slots=True)
class SchedulerOutput:
    """The idle slots and the busy ones that lose their cells, and the batch."""

    evicted: list[Slot] = field(default_factory=list)
    preempted: list[Slot] = field(default_factory=list)
    scheduled: list[ScheduledSlot] = field(default_factory=list)


def schedule_turn(
    slots: Sequence[Slot], config: SchedulerConfig, cells: CellPool | None, turns: AdapterTurns
) -> SchedulerOutput:
    """Plan the next batch: that of the adapters whose turn it is, or of the next ones if there are no cells for it."""
    busy = sorted((slot for slot in slots if slot.state), key=lambda slot: slot.last_used)
    for adapters in turns.order(slot.adapters for slot in busy):
        output = schedule(slots, config, cells, adapters)
        if output.scheduled:
            turns.record_step(adapters)
            return output
    return SchedulerOutput()


def schedule(
    slots: Sequence[Slot], config: SchedulerConfig, cells: CellPool | None, adapters: AdapterSet = NO_ADAPTERS
) -> SchedulerOutput:
    """Plan a batch for the slots with these adapters: one token for every generating slot, then chunks of prefill, the
    oldest request first.

    Of several prompts with a common prefix the oldest is computed and the others wait for it. In a pool of cells, idle
    slots are evicted when cells are needed; if that is not enough, the youngest requests are preempted. The oldest
    request always gets its cells, so every request ends.
    """
    busy = sorted((slot for slot in slots if slot.state), key=lambda slot: slot.last_used)
    output = SchedulerOutput()
    cell_budget = _CellBudget(slots, busy, cells, output)
    ready: list[Slot] = []
    leaders: list[Slot] = []
    for slot in busy:
        if slot.adapters != adapters:
            continue
        leader = prefill_leader(slot, leaders, config.min_shared_tokens)
        has_waited, slot.waits_for = slot.waits_for is not None, leader.slot_id if leader else None
        if leader:
            if leader.state and not config.can_truncate:
                leader.state.checkpoints.add(_n_shared(slot, leader))
        elif not has_waited and cell_budget.reserve(slot):  # after a wait, the cached prefix is loaded first
            ready.append(slot)
            if slot.is_prefilling:
                leaders.append(slot)
    output.scheduled = [ScheduledSlot(slot, 1) for slot in ready if slot.is_generating][: config.n_batch]
    n_left = config.n_batch - len(output.scheduled)
    prefilling = [slot for slot in ready if not slot.is_generating]
    if any(slot.is_generating and slot not in output.preempted for slot in busy):
        output.scheduled += _schedule_prefill(prefilling, config, min(n_left, config.n_chunk), config.n_media_chunk)
    else:
        output.scheduled += _schedule_prefill(prefilling, config, n_left, n_left)
    return output


def _schedule_prefill(
    slots: Sequence[Slot], config: SchedulerConfig, n_left: int, n_media_left: int
) -> Iterator[ScheduledSlot]:
    """Yields chunks of prompts, the oldest first: up to `n_left` tokens, of which `n_media_left` may be media."""
    n_most = n_left
    for slot in slots:
        takes_media = slot.has_media_next
        n_tokens = min(slot.n_with_same_adapters, n_left, n_media_left if takes_media else n_left)
        if n_tokens <= 0:
            continue
        if not config.can_truncate:
            n_tokens = min(n_tokens, _until_checkpoint(slot))
        n_tokens = _of_one_kind(slot, n_tokens)
        if n_tokens <= n_left or n_left == n_most:  # whole media wait, unless they are the first
            yield ScheduledSlot(slot, n_tokens)
            n_left -= n_tokens
            n_media_left -= n_tokens if takes_media else 0


def _of_one_kind(slot: Slot, n_tokens: int) -> int:
    """How many of the next `n_tokens` tokens of a slot one batch can hold: it has either text or media. Media that have
    to stay whole are more if need be."""
    if slot.state is None or slot.state.request.media is None:
        return n_tokens
    return slot.state.request.media.next_share(slot.state.tokens, len(slot.cached), n_tokens)


def _until_checkpoint(slot: Slot) -> int:
    n_cached = len(slot.cached)
    checkpoints = slot.state.all_checkpoints if slot.state else ()
    return min((length - n_cached for length in checkpoints if length > n_cached), default=slot.n_uncomputed)


def filler_slots(scheduled: Sequence[ScheduledSlot], slots: Sequence[Slot]) -> list[Slot]:
    """Returns the idle slots to compute a dummy token for, in a step that only generates: with streams, llama.cpp needs
    a pass over the weights for each run of consecutive slots."""
    if any(each.n_tokens > 1 or each.draft for each in scheduled):
        return []
    slot_ids = sorted(each.slot.slot_id for each in scheduled)
    gaps = [slots[low + 1 : high] for low, high in pairwise(slot_ids) if high - low - 1 <= _MAX_FILLER_SLOTS]
    return [slot for gap in gaps if all(len(slot.cached) < slot.n_ctx for slot in gap) for slot in gap]


def slots_to_evict(
    n_cells: int, candidates: Sequence[Slot], evicted: Sequence[Slot], cells: CellPool
) -> list[Slot] | None:
    """Returns the first candidates that free `n_cells` cells together with the `evicted` slots; None if all cannot."""

    def is_enough(victims: Sequence[Slot]) -> bool:
        return n_cells <= 0 or cells.n_freed_by([slot.slot_id for slot in (*evicted, *victims)]) >= n_cells

    victims: list[Slot] = []
    while not is_enough(victims):
        if len(victims) == len(candidates):
            return None
        victims.append(candidates[len(victims)])
    for slot in victims[:-1]:  # a slot that shares all of its cells frees none
        without = [other for other in victims if other is not slot]
        if is_enough(without):
            victims = without
    return victims


class _CellBudget:
    """The free cells of the pool while a step is planned."""

    def __init__(
        self, slots: Sequence[Slot], busy: Sequence[Slot], cells: CellPool | None, output: SchedulerOutput
    ) -> None:
        self._busy = busy
        self._idle = sorted((slot for slot in slots if slot.is_idle), key=lambda slot: slot.last_used)
        self._cells = cells
        self._output = output
        self._n_reserved = 0

    def reserve(self, slot: Slot) -> bool:
        """Reserve cells for all uncomputed tokens of a slot, from others if necessary; False if it has to wait."""
        cells = self._cells
        if cells is None:
            return True
        if slot in self._output.preempted:
            return False
        evicted = self._output.evicted + self._output.preempted
        candidates = [other for other in self._eviction_candidates(slot) if other.cached and other not in evicted]
        victims = slots_to_evict(self._n_reserved + slot.n_uncomputed - cells.n_free, candidates, evicted, cells)
        if victims is None:
            return False
        self._output.evicted += [victim for victim in victims if victim.is_idle]
        self._output.preempted += [victim for victim in victims if not victim.is_idle]
        self._n_reserved += slot.n_uncomputed
        return True

    def _eviction_candidates(self, slot: Slot) -> list[Slot]:
        """Least recently used idle slots, then the youngest requests; in prefill only the oldest request preempts."""
        if slot.is_prefilling and slot is not self._busy[0]:
            return self._idle
        younger = [other for other in self._busy if other.last_used > slot.last_used]
        return self._idle + younger[::-1]


_MAX_UNUSED_SHARE = 0.5
"""Share of a slot's tokens that a prompt may leave unused and still count as the same conversation."""

_FREE_CELLS_PER_REQUEST = 16
"""Cells of a pool that are left free for each slot with a request before another request starts."""


def slot_available(state: RequestState, slots: Sequence[Slot]) -> bool:
    slot_id = state.request.slot_id
    return slots[slot_id].is_idle if slot_id >= 0 else any(slot.is_idle for slot in slots)


def choose_slot(state: RequestState, slots: Sequence[Slot], match: PrefixMatch, *, have_streams: bool = False) -> Slot:
    """Returns, in this order: the slot that the request asks for; the one of its session; the one with the longest
    prefix, if the prompt continues its conversation; an empty one; the least recently used one.

    With streams, of the last two kinds one next to a busy slot is preferred: both are computed in one pass. That slot
    has to have the same adapters; if none has, one far from all busy slots is preferred, to leave room next to these.
    """
    request = state.request
    if request.slot_id >= 0:
        return slots[request.slot_id]
    idle = [slot for slot in slots if slot.is_idle]
    same_session = [slot for slot in idle if request.session is not None and slot.session == request.session]
    if same_session:
        return max(same_session, key=lambda slot: (match.by_slot.get(slot.slot_id, 0), slot.last_used))
    same_conversation = [slot for slot in idle if request.cache_prompt and _continues(slot, match)]
    empty = [slot for slot in idle if not slot.cached] or idle
    well_placed = _well_placed(request.adapters, empty, slots) if have_streams else []
    return min(same_conversation or well_placed or empty, key=lambda slot: slot.last_used)


def _well_placed(adapters: AdapterSet, idle: Sequence[Slot], slots: Sequence[Slot]) -> list[Slot]:
    """Returns the idle slots next to a busy one with the same adapters; without any, those that are farthest from the
    ones with others."""
    busy = [(slot.slot_id, slot.state.request.adapters) for slot in slots if slot.state]
    same = {slot_id for slot_id, others in busy if others == adapters}
    neighbours = [slot for slot in idle if {slot.slot_id - 1, slot.slot_id + 1} & same]
    if neighbours or len(same) == len(busy):
        return neighbours
    distances = {slot.slot_id: min(abs(slot.slot_id - slot_id) for slot_id, _ in busy) for slot in idle}
    farthest = max(distances.values())
    return [slot for slot in idle if distances[slot.slot_id] == farthest]


def _continues(slot: Slot, match: PrefixMatch) -> bool:
    n_own = match.by_slot.get(slot.slot_id, 0)
    return 0 < n_own == match.n_tokens and len(slot.cached) - n_own <= _MAX_UNUSED_SHARE * len(slot.cached)


def fits_in_cache(state: RequestState, slots: Sequence[Slot], match: PrefixMatch, cells: CellPool | None) -> bool:
    """Whether a request can start without taking cells from other requests. If there are none, it always can."""
    busy = [slot for slot in slots if slot.state]
    if cells is None or not busy:
        return True
    idle = [slot.slot_id for slot in slots if slot.is_idle]
    n_reserved = sum(slot.n_uncomputed for slot in busy) + _FREE_CELLS_PER_REQUEST * len(busy)
    n_shared = max(match.by_slot.get(slot.slot_id, 0) for slot in busy)
    return len(state.tokens) - n_shared <= cells.n_free + cells.n_freed_by(idle) - n_reserved


@dataclass(frozen=True, slots=True)
class SlotAssignment:
    """A slot for a waiting request, and the cached part of its text."""

    state: RequestState
    slot: Slot
    match: PrefixMatch


def assign_slots(
    waiting: Iterable[RequestState],
    slots: Sequence[Slot],
    find_match: Callable[[RequestState], PrefixMatch],
    cells: CellPool | None,
    *,
    have_streams: bool,
) -> Iterator[SlotAssignment]:
    """Yields slots for waiting requests, the oldest first. Each has to be carried out before the next one is asked for.

    A request that waits for KV cache space blocks all later ones; a request that waits for a specific slot does not.
    """
    for state in waiting:
        if slot_available(state, slots):
            match = find_match(state)
            if not fits_in_cache(state, slots, match, cells):
                return
            yield SlotAssignment(state, choose_slot(state, slots, match, have_streams=have_streams), match)
