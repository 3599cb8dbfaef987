"""What goes into the next batch. Pure policy: no ctypes, no threads, no clock."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from slots.cache.cell_pool import Cells
from slots.cache.prefix_cache import Match
from slots.cache.radix_tree import common_prefix_length
from slots.requests.request_state import Work
from slots.requests.slot import Slot

_MOST_BETWEEN = 3
"""Slots to compute for nothing, for those on both sides of them to be computed in one pass. Each costs some tenths of
what a pass costs, the less the larger the model and the more cores or GPUs there are."""


def note_common_prefixes(slot: Slot, slots: Iterable[Slot]) -> None:
    """Remember, on both sides, what a slot's prompt has in common with those that are being computed."""
    for other in slots:
        if other is not slot and slot.work and other.work and other.is_prefilling:
            n_common = common_prefix_length(slot.work.tokens, other.work.tokens)
            n_common = slot.scope.reach(other.scope, n_common)
            if n_common > 0:
                slot.work.in_common[other.work.number] = other.work.in_common[slot.work.number] = n_common


def leader_of(slot: Slot, others: Iterable[Slot], least: int) -> Slot | None:
    """The slot of an older request that still computes what this slot's prompt begins with as well: at least `least`
    more tokens than this one has. It is worth waiting for."""
    if not slot.work or not slot.work.in_common or slot.is_generating:
        return None
    for other in others:
        n_common = _n_common(slot, other)
        if n_common > len(other.cached) and n_common - len(slot.cached) >= least:
            return other
    return None


def _n_common(slot: Slot, older: Slot) -> int:
    """Tokens that a slot can take from the slot of an older request when that has computed them."""
    work, leading = slot.work, older.work
    if not work or not leading or leading.number >= work.number or work.is_on_its_own:
        return 0
    n_common = min(work.in_common.get(leading.number, 0), work.n_reusable)
    return n_common if older.inexact_from is None else min(n_common, older.inexact_from)


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a step may be."""

    n_batch: int
    """Most tokens in a step."""
    n_chunk: int
    """Most prefill tokens in a step that also generates: generating slots wait no longer than for these."""
    least_taken: int = 1
    """Fewest tokens for which a prefix is taken from elsewhere instead of being computed."""
    can_cut: bool = True
    """Whether a part of a sequence can be taken. Otherwise a prefill stops where others will take it over."""


@dataclass(frozen=True, slots=True)
class Share:
    """A slot's part of a batch: its next `n_tokens` pending tokens, and those that were guessed to follow them."""

    slot: Slot
    n_tokens: int
    draft: Sequence[int] = ()

    @property
    def tokens(self) -> list[int]:
        """The pending ones, until they are computed."""
        return self.slot.pending[: self.n_tokens]


@dataclass(slots=True)
class Plan:
    """One step: the slots that give up what they hold, then the shares that are computed."""

    parked: list[Slot] = field(default_factory=list)
    """Idle slots: their cells are needed."""
    requeued: list[Slot] = field(default_factory=list)
    """Working slots: their requests go on later."""
    shares: list[Share] = field(default_factory=list)


def plan_step(slots: Sequence[Slot], limits: Limits, cells: Cells | None) -> Plan:
    """What the next batch consists of.

    One token for every generating slot comes first, then chunks of prefill, the oldest request first. Of several
    prompts that begin with the same tokens, the oldest is computed and the others wait for it. Where the slots share a
    pool of cells, idle ones give theirs up to work. If that is not enough, the youngest requests give way to older
    ones. The oldest request always has room, so every request comes to its end.
    """
    working = sorted((slot for slot in slots if slot.work), key=lambda slot: slot.last_used)
    plan = Plan()
    room = _Room(slots, working, cells, plan)
    ready: list[Slot] = []
    leaders: list[Slot] = []
    for slot in working:
        leader = leader_of(slot, leaders, limits.least_taken)
        has_waited, slot.waits_for = slot.waits_for is not None, leader.slot_id if leader else None
        if leader:
            if leader.work and not limits.can_cut:
                leader.work.stops.add(_n_common(slot, leader))
        elif not has_waited and room.claim(slot):  # who has waited in vain takes what there is before going on
            ready.append(slot)
            if slot.is_prefilling:
                leaders.append(slot)
    plan.shares = [Share(slot, 1) for slot in ready if slot.is_generating][: limits.n_batch]
    budget = min(limits.n_batch - len(plan.shares), limits.n_chunk) if plan.shares else limits.n_batch
    for slot in ready:
        if budget > 0 and not slot.is_generating:
            n_tokens = min(slot.n_pending, budget)
            if not limits.can_cut:
                n_tokens = min(n_tokens, _until_stop(slot))
            plan.shares.append(Share(slot, n_tokens))
            budget -= n_tokens
    return plan


def _until_stop(slot: Slot) -> int:
    """How many tokens to compute before the next point at which the sequence will be taken whole."""
    n_cached = len(slot.cached)
    points = slot.work.all_stops if slot.work else ()
    return min((point - n_cached for point in points if point > n_cached), default=slot.n_pending)


def slots_between(shares: Sequence[Share], slots: Sequence[Slot]) -> list[Slot]:
    """The slots to compute a token for that nobody wants, in a step that only generates.

    Where sequences have streams of their own, llama.cpp computes in one pass only those that follow each other by
    number: a slot between them that does not work makes it two passes through all of the weights.
    """
    if any(share.n_tokens > 1 or share.draft for share in shares):
        return []
    numbers = sorted(share.slot.slot_id for share in shares)
    gaps = [slots[before + 1 : after] for before, after in pairwise(numbers) if after - before - 1 <= _MOST_BETWEEN]
    return [slot for gap in gaps if all(len(slot.cached) < slot.n_ctx for slot in gap) for slot in gap]


def victims(n_cells: int, candidates: Sequence[Slot], gone: Sequence[Slot], cells: Cells) -> list[Slot] | None:
    """The first of the candidates that have to give up their cells, besides the slots that are `gone` already, for
    `n_cells` to become free; None if all of them are not enough."""

    def is_enough(chosen: Sequence[Slot]) -> bool:
        return n_cells <= 0 or cells.freed_by([slot.slot_id for slot in (*gone, *chosen)]) >= n_cells

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


class _Room:
    """The free cells of the pool while a step is planned. The plan takes up the slots that have to give way."""

    def __init__(self, slots: Sequence[Slot], working: Sequence[Slot], cells: Cells | None, plan: Plan) -> None:
        self._working = working
        self._idle = sorted((slot for slot in slots if slot.is_idle), key=lambda slot: slot.last_used)
        self._cells = cells
        self._plan = plan
        self._n_claimed = 0

    def claim(self, slot: Slot) -> bool:
        """Set aside cells for all that is pending in a slot; False if it has to wait."""
        cells = self._cells
        if cells is None:
            return True
        if slot in self._plan.requeued:
            return False
        gone = self._plan.parked + self._plan.requeued
        candidates = [other for other in self._that_give_way_to(slot) if other.cached and other not in gone]
        giving_way = victims(self._n_claimed + slot.n_pending - cells.n_free, candidates, gone, cells)
        if giving_way is None:
            return False
        self._plan.parked += [victim for victim in giving_way if victim.is_idle]
        self._plan.requeued += [victim for victim in giving_way if not victim.is_idle]
        self._n_claimed += slot.n_pending
        return True

    def _that_give_way_to(self, slot: Slot) -> list[Slot]:
        """The least recently used idle slots first, then the youngest requests. A request that only begins takes
        nothing from others that work, unless it is the oldest."""
        if slot.is_prefilling and slot is not self._working[0]:
            return self._idle
        younger = [other for other in self._working if other.last_used > slot.last_used]
        return self._idle + younger[::-1]


_MOST_LOST = 0.5
"""Share of what a slot holds that a prompt may leave unused and still be taken for the same conversation."""

_ROOM_TO_GENERATE = 16
"""Cells of a pool that each generating slot should find free before another request begins."""


def can_get_slot(work: Work, slots: Sequence[Slot]) -> bool:
    """Whether a slot is idle, or the one that the request asks for by number."""
    asked = work.request.slot_id
    return slots[asked].is_idle if asked >= 0 else any(slot.is_idle for slot in slots)


def choose_slot(work: Work, slots: Sequence[Slot], match: Match, *, have_streams: bool = False) -> Slot:
    """The slot for a request that can get one.

    In this order: the slot that was asked for by number; one that served the session last; one that holds the longest
    prefix there is, if its conversation goes on with it; an empty one; the least recently used one. Of several empty
    ones, or where none is empty of all, one beside a slot that works is taken where slots have streams of their own, so
    that both are computed in one pass. The prefix is brought there.
    """
    request = work.request
    if request.slot_id >= 0:
        return slots[request.slot_id]
    idle = [slot for slot in slots if slot.is_idle]
    of_session = [slot for slot in idle if request.session is not None and slot.session == request.session]
    if of_session:
        return max(of_session, key=lambda slot: (match.by_slot.get(slot.slot_id, 0), slot.last_used))
    going_on = [slot for slot in idle if request.cache_prompt and _goes_on_in(slot, match)]
    fresh = [slot for slot in idle if not slot.cached] or idle
    neighbours = [slot for slot in _beside_work(slots) if slot in fresh] if have_streams else []
    return min(going_on or neighbours or fresh, key=lambda slot: slot.last_used)


def _beside_work(slots: Sequence[Slot]) -> list[Slot]:
    """The idle slots next to those that work."""
    pairs = [*pairwise(slots), *pairwise(slots[::-1])]
    return [slot for slot, other in pairs if slot.is_idle and not other.is_idle]


def _goes_on_in(slot: Slot, match: Match) -> bool:
    n_own = match.by_slot.get(slot.slot_id, 0)
    return 0 < n_own == match.n_tokens and len(slot.cached) - n_own <= _MOST_LOST * len(slot.cached)


def has_room(work: Work, slots: Sequence[Slot], match: Match, cells: Cells | None) -> bool:
    """Whether a request can begin without taking cells from others that work. If nobody works, it always can."""
    working = [slot for slot in slots if slot.work]
    if cells is None or not working:
        return True
    idle = [slot.slot_id for slot in slots if slot.is_idle]
    n_promised = sum(slot.n_pending for slot in working) + _ROOM_TO_GENERATE * len(working)
    n_shared = max(match.by_slot.get(slot.slot_id, 0) for slot in working)
    return len(work.tokens) - n_shared <= cells.n_free + cells.freed_by(idle) - n_promised


@dataclass(frozen=True, slots=True)
class Seat:
    """A slot for a request that waited, and what there is of its text."""

    work: Work
    slot: Slot
    match: Match


def seats(
    waiting: Iterable[Work],
    slots: Sequence[Slot],
    match_of: Callable[[Work], Match],
    cells: Cells | None,
    *,
    have_streams: bool,
) -> Iterator[Seat]:
    """The seats for requests that wait, the oldest first. Each has to be taken before the next one is asked for.

    Nobody overtakes who waits for room in the KV cache; who waits for a certain slot is passed by.
    """
    for work in waiting:
        if can_get_slot(work, slots):
            match = match_of(work)
            if not has_room(work, slots, match, cells):
                return
            yield Seat(work, choose_slot(work, slots, match, have_streams=have_streams), match)
