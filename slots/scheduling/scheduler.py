"""What goes into the next batch. Pure policy: no ctypes, no threads, no clock."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from slots.cache.cell_pool import CellPool
from slots.cache.prefix_cache import PrefixMatch
from slots.cache.radix_tree import common_prefix_length
from slots.requests.request_state import RequestState
from slots.requests.slot import Slot

_MAX_FILLER_SLOTS = 3
"""Slots to compute for nothing, for those on both sides of them to be computed in one pass. Each costs some tenths of
what a pass costs, the less the larger the model and the more cores or GPUs there are."""


def record_shared_prefixes(slot: Slot, slots: Iterable[Slot]) -> None:
    """Remember, on both sides, what a slot's prompt has in common with those that are being computed."""
    for other in slots:
        if other is not slot and slot.state and other.state and other.is_prefilling:
            n_common = common_prefix_length(slot.state.tokens, other.state.tokens)
            n_common = slot.scope.shareable(other.scope, n_common)
            if n_common > 0:
                slot.state.shared_prefixes[other.state.request_id] = other.state.shared_prefixes[
                    slot.state.request_id
                ] = n_common


def prefill_leader(slot: Slot, others: Iterable[Slot], min_shared: int) -> Slot | None:
    """The slot of an older request that still computes what this slot's prompt begins with as well: at least `least`
    more tokens than this one has. It is worth waiting for."""
    if not slot.state or not slot.state.shared_prefixes or slot.is_generating:
        return None
    for other in others:
        n_common = _n_shared(slot, other)
        if n_common > len(other.cached) and n_common - len(slot.cached) >= min_shared:
            return other
    return None


def _n_shared(slot: Slot, older: Slot) -> int:
    """Tokens that a slot can take from the slot of an older request when that has computed them."""
    work, leading = slot.state, older.state
    if not work or not leading or leading.request_id >= work.request_id or work.skip_cache:
        return 0
    n_common = min(work.shared_prefixes.get(leading.request_id, 0), work.max_cached)
    return n_common if older.shifted_from is None else min(n_common, older.shifted_from)


@dataclass(frozen=True, slots=True)
class SchedulerConfig:
    """How large a step may be."""

    n_batch: int
    """Most tokens in a step."""
    n_chunk: int
    """Most prefill tokens in a step that also generates: generating slots wait no longer than for these."""
    min_shared_tokens: int = 1
    """Fewest tokens for which a prefix is taken from elsewhere instead of being computed."""
    can_truncate: bool = True
    """Whether a part of a sequence can be taken. Otherwise a prefill stops where others will take it over."""


@dataclass(frozen=True, slots=True)
class ScheduledSlot:
    """A slot's part of a batch: its next `n_tokens` pending tokens, and those that were guessed to follow them."""

    slot: Slot
    n_tokens: int
    draft: Sequence[int] = ()

    @property
    def tokens(self) -> list[int]:
        """The pending ones, until they are computed."""
        return self.slot.uncomputed[: self.n_tokens]


@dataclass(slots=True)
class SchedulerOutput:
    """One step: the slots that give up what they hold, then the shares that are computed."""

    evicted: list[Slot] = field(default_factory=list)
    """Idle slots: their cells are needed."""
    preempted: list[Slot] = field(default_factory=list)
    """Working slots: their requests go on later."""
    scheduled: list[ScheduledSlot] = field(default_factory=list)


def schedule(slots: Sequence[Slot], config: SchedulerConfig, cells: CellPool | None) -> SchedulerOutput:
    """What the next batch consists of.

    One token for every generating slot comes first, then chunks of prefill, the oldest request first. Of several
    prompts that begin with the same tokens, the oldest is computed and the others wait for it. Where the slots share a
    pool of cells, idle ones give theirs up to work. If that is not enough, the youngest requests give way to older
    ones. The oldest request always has room, so every request comes to its end.
    """
    working = sorted((slot for slot in slots if slot.state), key=lambda slot: slot.last_used)
    output = SchedulerOutput()
    cell_budget = _CellBudget(slots, working, cells, output)
    ready: list[Slot] = []
    leaders: list[Slot] = []
    for slot in working:
        leader = prefill_leader(slot, leaders, config.min_shared_tokens)
        has_waited, slot.waits_for = slot.waits_for is not None, leader.slot_id if leader else None
        if leader:
            if leader.state and not config.can_truncate:
                leader.state.checkpoints.add(_n_shared(slot, leader))
        elif not has_waited and cell_budget.reserve(slot):  # who has waited in vain takes what there is before going on
            ready.append(slot)
            if slot.is_prefilling:
                leaders.append(slot)
    output.scheduled = [ScheduledSlot(slot, 1) for slot in ready if slot.is_generating][: config.n_batch]
    n_left = min(config.n_batch - len(output.scheduled), config.n_chunk) if output.scheduled else config.n_batch
    for slot in ready:
        if n_left > 0 and not slot.is_generating:
            n_tokens = min(slot.n_uncomputed, n_left)
            if not config.can_truncate:
                n_tokens = min(n_tokens, _until_checkpoint(slot))
            output.scheduled.append(ScheduledSlot(slot, n_tokens))
            n_left -= n_tokens
    return output


def _until_checkpoint(slot: Slot) -> int:
    """How many tokens to compute before the next point at which the sequence will be taken whole."""
    n_cached = len(slot.cached)
    points = slot.state.all_checkpoints if slot.state else ()
    return min((point - n_cached for point in points if point > n_cached), default=slot.n_uncomputed)


def filler_slots(scheduled: Sequence[ScheduledSlot], slots: Sequence[Slot]) -> list[Slot]:
    """The slots to compute a token for that nobody wants, in a step that only generates.

    Where sequences have streams of their own, llama.cpp computes in one pass only those that follow each other by
    number: a slot between them that does not work makes it two passes through all of the weights.
    """
    if any(share.n_tokens > 1 or share.draft for share in scheduled):
        return []
    numbers = sorted(share.slot.slot_id for share in scheduled)
    gaps = [slots[before + 1 : after] for before, after in pairwise(numbers) if after - before - 1 <= _MAX_FILLER_SLOTS]
    return [slot for gap in gaps if all(len(slot.cached) < slot.n_ctx for slot in gap) for slot in gap]


def slots_to_evict(
    n_cells: int, candidates: Sequence[Slot], gone: Sequence[Slot], cells: CellPool
) -> list[Slot] | None:
    """The first of the candidates that have to give up their cells, besides the slots that are `gone` already, for
    `n_cells` to become free; None if all of them are not enough."""

    def is_enough(chosen: Sequence[Slot]) -> bool:
        return n_cells <= 0 or cells.n_freed_by([slot.slot_id for slot in (*gone, *chosen)]) >= n_cells

    chosen: list[Slot] = []
    while not is_enough(chosen):
        if len(chosen) == len(candidates):
            return None
        chosen.append(candidates[len(chosen)])
    for slot in chosen[:-1]:  # some may share all of theirs with others, and so win nothing
        without = [other for other in chosen if other is not slot]
        if is_enough(without):
            chosen = without
    return chosen


class _CellBudget:
    """The free cells of the pool while a step is planned. The plan takes up the slots that have to give way."""

    def __init__(
        self, slots: Sequence[Slot], working: Sequence[Slot], cells: CellPool | None, output: SchedulerOutput
    ) -> None:
        self._working = working
        self._idle = sorted((slot for slot in slots if slot.is_idle), key=lambda slot: slot.last_used)
        self._cells = cells
        self._output = output
        self._n_reserved = 0

    def reserve(self, slot: Slot) -> bool:
        """Set aside cells for all that is pending in a slot; False if it has to wait."""
        cells = self._cells
        if cells is None:
            return True
        if slot in self._output.preempted:
            return False
        gone = self._output.evicted + self._output.preempted
        candidates = [other for other in self._eviction_candidates(slot) if other.cached and other not in gone]
        giving_way = slots_to_evict(self._n_reserved + slot.n_uncomputed - cells.n_free, candidates, gone, cells)
        if giving_way is None:
            return False
        self._output.evicted += [victim for victim in giving_way if victim.is_idle]
        self._output.preempted += [victim for victim in giving_way if not victim.is_idle]
        self._n_reserved += slot.n_uncomputed
        return True

    def _eviction_candidates(self, slot: Slot) -> list[Slot]:
        """The least recently used idle slots first, then the youngest requests. A request that only begins takes
        nothing from others that work, unless it is the oldest."""
        if slot.is_prefilling and slot is not self._working[0]:
            return self._idle
        younger = [other for other in self._working if other.last_used > slot.last_used]
        return self._idle + younger[::-1]


_MAX_UNUSED_SHARE = 0.5
"""Share of what a slot holds that a prompt may leave unused and still be taken for the same conversation."""

_CELLS_PER_GENERATING_SLOT = 16
"""Cells of a pool that each generating slot should find free before another request begins."""


def slot_available(state: RequestState, slots: Sequence[Slot]) -> bool:
    """Whether a slot is idle, or the one that the request asks for by number."""
    asked = state.request.slot_id
    return slots[asked].is_idle if asked >= 0 else any(slot.is_idle for slot in slots)


def choose_slot(state: RequestState, slots: Sequence[Slot], match: PrefixMatch, *, have_streams: bool = False) -> Slot:
    """The slot for a request that can get one.

    In this order: the slot that was asked for by number; one that served the session last; one that holds the longest
    prefix there is, if its conversation goes on with it; an empty one; the least recently used one. Of several empty
    ones, or where none is empty of all, one beside a slot that works is taken where slots have streams of their own, so
    that both are computed in one pass. The prefix is brought there.
    """
    request = state.request
    if request.slot_id >= 0:
        return slots[request.slot_id]
    idle = [slot for slot in slots if slot.is_idle]
    of_session = [slot for slot in idle if request.session is not None and slot.session == request.session]
    if of_session:
        return max(of_session, key=lambda slot: (match.by_slot.get(slot.slot_id, 0), slot.last_used))
    going_on = [slot for slot in idle if request.cache_prompt and _continues(slot, match)]
    fresh = [slot for slot in idle if not slot.cached] or idle
    neighbours = [slot for slot in _idle_neighbours(slots) if slot in fresh] if have_streams else []
    return min(going_on or neighbours or fresh, key=lambda slot: slot.last_used)


def _idle_neighbours(slots: Sequence[Slot]) -> list[Slot]:
    """The idle slots next to those that work."""
    pairs = [*pairwise(slots), *pairwise(slots[::-1])]
    return [slot for slot, other in pairs if slot.is_idle and not other.is_idle]


def _continues(slot: Slot, match: PrefixMatch) -> bool:
    n_own = match.by_slot.get(slot.slot_id, 0)
    return 0 < n_own == match.n_tokens and len(slot.cached) - n_own <= _MAX_UNUSED_SHARE * len(slot.cached)


def fits_in_cache(state: RequestState, slots: Sequence[Slot], match: PrefixMatch, cells: CellPool | None) -> bool:
    """Whether a request can begin without taking cells from others that work. If nobody works, it always can."""
    working = [slot for slot in slots if slot.state]
    if cells is None or not working:
        return True
    idle = [slot.slot_id for slot in slots if slot.is_idle]
    n_promised = sum(slot.n_uncomputed for slot in working) + _CELLS_PER_GENERATING_SLOT * len(working)
    n_shared = max(match.by_slot.get(slot.slot_id, 0) for slot in working)
    return len(state.tokens) - n_shared <= cells.n_free + cells.n_freed_by(idle) - n_promised


@dataclass(frozen=True, slots=True)
class SlotAssignment:
    """A slot for a request that waited, and what there is of its text."""

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
    """The seats for requests that wait, the oldest first. Each has to be taken before the next one is asked for.

    Nobody overtakes who waits for room in the KV cache; who waits for a certain slot is passed by.
    """
    for work in waiting:
        if slot_available(work, slots):
            match = find_match(work)
            if not fits_in_cache(work, slots, match, cells):
                return
            yield SlotAssignment(work, choose_slot(work, slots, match, have_streams=have_streams), match)
