from itertools import pairwise

from slots.cache.cell_pool import CellPool
from slots.requests.adapters import AdapterSet
from slots.requests.request import CompletionRequest
from slots.requests.request_state import RequestState
from slots.requests.slot import Slot
from slots.scheduling.scheduler import assign_slots, choose_slot, fits_in_cache, slot_available
from tests.slots.factories import NO_MATCH, cell_pool, generating, idle_slots, prefilling, request_state, slot_match


def test_the_slot_that_is_asked_for_is_taken() -> None:
    slots = idle_slots([1], [2], [3])
    assert choose_slot(request_state(1, slot_id=2), slots, slot_match(s0=1)) is slots[2]


def test_a_slot_that_is_asked_for_is_waited_for() -> None:
    slots = [prefilling(0, 4), *idle_slots([1])]
    assert not slot_available(request_state(slot_id=0), slots)


def test_when_all_slots_are_busy_a_request_waits() -> None:
    assert not slot_available(request_state(), [prefilling(0, 4), generating(1, 4)])


def test_a_session_gets_its_slot_again() -> None:
    slots = idle_slots([1, 2], [3], [4])
    slots[1].session = "mine"
    assert choose_slot(request_state(1, 2, session="mine"), slots, slot_match(s0=2)) is slots[1]


def test_of_a_sessions_slots_the_one_with_the_longest_prefix_is_taken() -> None:
    slots = idle_slots([1, 2], [3], [4])
    slots[0].session = slots[2].session = "mine"
    assert choose_slot(request_state(1, 2, session="mine"), slots, slot_match(s0=2)) is slots[0]


def test_a_request_without_a_session_does_not_match_slots_without_one() -> None:
    slots = idle_slots([5], [6], [])
    assert choose_slot(request_state(1, session=None), slots, NO_MATCH) is slots[2]


def test_a_session_whose_slot_is_busy_gets_another_one() -> None:
    slots = [generating(0, 3), *idle_slots([9])]
    slots[0].session = "mine"
    assert choose_slot(request_state(session="mine"), slots, NO_MATCH) is slots[1]


def test_a_conversation_goes_on_in_the_slot_that_holds_it() -> None:
    slots = idle_slots([1, 2], [1, 2, 3], [9], [])
    assert choose_slot(request_state(1, 2, 3, 4), slots, slot_match(s0=2, s1=3)) is slots[1]


def test_a_prompt_that_only_begins_like_a_conversation_leaves_it_its_slot() -> None:
    slots = idle_slots([], [1, 2, 3, 4, 5, 6])
    assert choose_slot(request_state(1, 2, 8, 9), slots, slot_match(s1=2)) is slots[0]


def test_a_slot_is_not_kept_for_less_than_what_is_held_elsewhere() -> None:
    slots = [generating(0, 4), *idle_slots([], [1, 2, 3], [])[1:]]
    assert choose_slot(request_state(1, 2, 3, 4, 5), slots, slot_match(s0=4, s1=3)) is slots[2]


def test_a_request_that_must_not_use_the_cache_leaves_the_fitting_slot_alone() -> None:
    slots = idle_slots([], [1, 2, 3])
    assert choose_slot(request_state(1, 2, 3, cache_prompt=False), slots, NO_MATCH) is slots[0]


def test_otherwise_the_least_recently_used_slot_is_taken() -> None:
    slots = idle_slots([1], [2], [3])
    slots[0].last_used, slots[1].last_used, slots[2].last_used = 5, 3, 4
    assert choose_slot(request_state(9), slots, NO_MATCH) is slots[1]


def test_a_request_waits_for_room_that_others_need() -> None:
    slots = [prefilling(0, 60), *idle_slots([], [])[1:]]
    assert not fits_in_cache(request_state(*range(30)), slots, NO_MATCH, cell_pool(100, slots))
    assert fits_in_cache(request_state(*range(20)), slots, NO_MATCH, cell_pool(100, slots))


def test_the_cells_of_idle_slots_count_as_room() -> None:
    slots = [*idle_slots([1] * 60), generating(1, 20)]
    assert fits_in_cache(request_state(*range(50)), slots, NO_MATCH, cell_pool(100, slots))


def test_what_is_shared_with_a_working_slot_needs_no_room() -> None:
    slots = [generating(0, 60), *idle_slots([], [])[1:]]
    assert not fits_in_cache(request_state(*range(40)), slots, NO_MATCH, cell_pool(100, slots))
    assert fits_in_cache(request_state(*range(40)), slots, slot_match(s0=30), cell_pool(100, slots))


def test_where_nobody_works_there_is_room_for_everybody() -> None:
    slots = idle_slots([1] * 100)
    assert fits_in_cache(request_state(*range(100)), slots, NO_MATCH, cell_pool(100, slots))


def test_the_cells_of_an_idle_owner_are_not_counted_twice() -> None:
    slots = [*idle_slots([1] * 60), generating(1, 40)]
    assert not fits_in_cache(request_state(*range(90)), slots, slot_match(s0=60), cell_pool(100, slots))


def test_what_a_working_slot_shares_needs_no_room_whoever_else_has_it() -> None:
    slots = [Slot(0, 1000), generating(1, 81)]
    cells = cell_pool(100, slots)
    cells.share(1, 0, 70)
    slots[0].cached = slots[1].cached[:70]
    assert fits_in_cache(request_state(*range(72)), slots, slot_match(s0=70, s1=70), cells)


def test_an_empty_slot_is_taken_before_one_that_holds_a_conversation() -> None:
    """Though it has a beginning in common with that, and is not next to a slot that works."""
    slots = [prefilling(0, 4), Slot(1, 1000, cached=[5] * 50, last_used=1), Slot(2, 1000), Slot(3, 1000)]
    chosen = choose_slot(request_state(5, 6, 7), slots, slot_match(s1=1), have_streams=True)
    assert chosen is slots[2]


def seated(waiting: list[RequestState], slots: list[Slot], cells: CellPool | None = None) -> list[tuple[int, int]]:
    """The numbers of requests, and the slots that they get, one after the other."""
    assigned = []
    for assignment in assign_slots(waiting, slots, lambda _state: NO_MATCH, cells, have_streams=False):
        assignment.slot.assign(assignment.state)
        assigned.append((assignment.state.request_id, assignment.slot.slot_id))
    return assigned


def test_the_oldest_get_the_slots() -> None:
    waiting = [request_state(1, request_id=number) for number in (5, 6, 7)]
    assert seated(waiting, [Slot(0, 1000), Slot(1, 1000)]) == [(5, 0), (6, 1)]


def test_who_waits_for_a_certain_slot_is_passed_by() -> None:
    slots = [prefilling(0, 4, request_id=1), Slot(1, 1000)]
    assert seated([request_state(request_id=2, slot_id=0), request_state(request_id=3)], slots) == [(3, 1)]


def test_who_waits_for_room_is_not_overtaken() -> None:
    slots = [generating(0, 81), Slot(1, 1000)]
    waiting = [request_state(*range(30), request_id=2), request_state(request_id=3)]
    assert seated(waiting, slots, cell_pool(100, slots)) == []


def with_adapter(number: int) -> RequestState:
    return RequestState(CompletionRequest((1,), adapters=AdapterSet.of({number: 1.0})), number)


def test_requests_with_the_same_adapters_get_neighbouring_slots() -> None:
    slots = idle_slots(*([] for _slot in range(8)))
    for number in (1, 2, 3, 4, 1, 2, 3, 4):
        choose_slot(with_adapter(number), slots, NO_MATCH, have_streams=True).assign(with_adapter(number))
    by_slot = [slot.state.request.adapters for slot in slots if slot.state]
    n_neighbours = sum(one == other for one, other in pairwise(by_slot))
    assert n_neighbours >= 3


def test_in_a_pool_the_place_of_a_slot_does_not_matter() -> None:
    slots = idle_slots(*([] for _slot in range(8)))
    for number, expected in ((1, 0), (2, 1), (1, 2)):
        chosen = choose_slot(with_adapter(number), slots, NO_MATCH)
        assert chosen.slot_id == expected
        chosen.assign(with_adapter(number))
