"""Which request gets which slot. Pure policy: no ctypes, no threads, no clock."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from slots.cache.cell_pool import Cells
from slots.cache.prefix_cache import Match
from slots.requests.request_state import Work
from slots.requests.slot import Slot

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
