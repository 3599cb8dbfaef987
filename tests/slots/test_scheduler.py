from typing import Any

from slots.cells import Cells
from slots.prefix_cache import Match
from slots.request import CompletionRequest
from slots.scheduler import (
    Limits,
    Plan,
    can_get_slot,
    choose_slot,
    has_room,
    leader_of,
    note_common_prefixes,
    plan_step,
)
from slots.scope import Scope
from slots.slot import Slot
from slots.work import Work

NO_POOL = Limits(n_batch=64, n_chunk=16)
NOTHING = Match({}, None, None, 0, 0)


def work(*prompt: int, number: int = 99, **options: Any) -> Work:
    return Work(CompletionRequest(prompt or (1,), **options), number)


def live(**by_slot: int) -> Match:
    """What slots have of a prompt: live(s0=3) is three tokens in slot 0."""
    counts = {int(name[1:]): n for name, n in by_slot.items()}
    return Match(counts, max(counts, key=counts.__getitem__), None, 0, max(counts.values()))


def idle_slots(*cached: list[int]) -> list[Slot]:
    """Idle slots with these caches; of those that were used, the later ones were used more lately."""
    return [Slot(n, 1000, cached=tokens, last_used=n + 1 if tokens else 0) for n, tokens in enumerate(cached)]


def prefilling(slot_id: int, n_pending: int, *, number: int | None = None) -> Slot:
    slot = Slot(slot_id, 1000)
    slot.take(work(*range(n_pending), number=number or slot_id + 1))
    return slot


def generating(slot_id: int, n_tokens: int, *, number: int | None = None) -> Slot:
    slot = prefilling(slot_id, n_tokens, number=number)
    assert slot.work
    slot.cached = slot.work.tokens[:-1]
    slot.work.n_decoded = 1
    return slot


def pool(n_cells: int, slots: list[Slot]) -> Cells:
    """The cells of slots that share none."""
    cells = Cells(n_cells, 1 + max(slot.slot_id for slot in slots))
    for slot in slots:
        cells.add(slot.slot_id, len(slot.cached))
    return cells


def plan_in_pool(n_cells: int, slots: list[Slot]) -> Plan:
    return plan_step(slots, NO_POOL, pool(n_cells, slots))


def shares(plan: Plan) -> list[tuple[int, int]]:
    return [(share.slot.slot_id, share.n_tokens) for share in plan.shares]


def ids(slots: list[Slot]) -> list[int]:
    return [slot.slot_id for slot in slots]


def test_the_slot_that_is_asked_for_is_taken() -> None:
    slots = idle_slots([1], [2], [3])
    assert choose_slot(work(1, slot_id=2), slots, live(s0=1)) is slots[2]


def test_a_slot_that_is_asked_for_is_waited_for() -> None:
    slots = [prefilling(0, 4), *idle_slots([1])]
    assert not can_get_slot(work(slot_id=0), slots)


def test_when_all_slots_are_busy_a_request_waits() -> None:
    assert not can_get_slot(work(), [prefilling(0, 4), generating(1, 4)])


def test_a_session_gets_its_slot_again() -> None:
    slots = idle_slots([1, 2], [3], [4])
    slots[1].session = "mine"
    assert choose_slot(work(1, 2, session="mine"), slots, live(s0=2)) is slots[1]


def test_of_a_sessions_slots_the_one_with_the_longest_prefix_is_taken() -> None:
    slots = idle_slots([1, 2], [3], [4])
    slots[0].session = slots[2].session = "mine"
    assert choose_slot(work(1, 2, session="mine"), slots, live(s0=2)) is slots[0]


def test_a_request_without_a_session_does_not_match_slots_without_one() -> None:
    slots = idle_slots([5], [6], [])
    assert choose_slot(work(1, session=None), slots, NOTHING) is slots[2]


def test_a_session_whose_slot_is_busy_gets_another_one() -> None:
    slots = [generating(0, 3), *idle_slots([9])]
    slots[0].session = "mine"
    assert choose_slot(work(session="mine"), slots, NOTHING) is slots[1]


def test_a_conversation_goes_on_in_the_slot_that_holds_it() -> None:
    slots = idle_slots([1, 2], [1, 2, 3], [9], [])
    assert choose_slot(work(1, 2, 3, 4), slots, live(s0=2, s1=3)) is slots[1]


def test_a_prompt_that_only_begins_like_a_conversation_leaves_it_its_slot() -> None:
    slots = idle_slots([], [1, 2, 3, 4, 5, 6])
    assert choose_slot(work(1, 2, 8, 9), slots, live(s1=2)) is slots[0]


def test_a_slot_is_not_kept_for_less_than_what_is_held_elsewhere() -> None:
    slots = [generating(0, 4), *idle_slots([], [1, 2, 3], [])[1:]]
    assert choose_slot(work(1, 2, 3, 4, 5), slots, live(s0=4, s1=3)) is slots[2]


def test_a_request_that_must_not_use_the_cache_leaves_the_fitting_slot_alone() -> None:
    slots = idle_slots([], [1, 2, 3])
    assert choose_slot(work(1, 2, 3, cache_prompt=False), slots, NOTHING) is slots[0]


def test_otherwise_the_least_recently_used_slot_is_taken() -> None:
    slots = idle_slots([1], [2], [3])
    slots[0].last_used, slots[1].last_used, slots[2].last_used = 5, 3, 4
    assert choose_slot(work(9), slots, NOTHING) is slots[1]


def test_a_request_waits_for_room_that_others_need() -> None:
    slots = [prefilling(0, 60), *idle_slots([], [])[1:]]
    assert not has_room(work(*range(30)), slots, NOTHING, pool(100, slots))
    assert has_room(work(*range(20)), slots, NOTHING, pool(100, slots))


def test_the_cells_of_idle_slots_count_as_room() -> None:
    slots = [*idle_slots([1] * 60), generating(1, 20)]
    assert has_room(work(*range(50)), slots, NOTHING, pool(100, slots))


def test_what_is_shared_with_a_working_slot_needs_no_room() -> None:
    slots = [generating(0, 60), *idle_slots([], [])[1:]]
    assert not has_room(work(*range(40)), slots, NOTHING, pool(100, slots))
    assert has_room(work(*range(40)), slots, live(s0=30), pool(100, slots))


def test_where_nobody_works_there_is_room_for_everybody() -> None:
    slots = idle_slots([1] * 100)
    assert has_room(work(*range(100)), slots, NOTHING, pool(100, slots))


def two_prompts(one: Work, other: Work, scope: Scope | None = None) -> tuple[Slot, Slot]:
    """Two slots that begin to compute prompts."""
    first, second = Slot(0, 1000), Slot(1, 1000)
    first.take(one)
    second.take(other)
    second.scope = scope or second.scope
    note_common_prefixes(second, [first, second])
    return first, second


def test_a_prompt_waits_for_the_older_one_that_begins_like_it() -> None:
    first, second = two_prompts(work(1, 2, 3, 4, number=1), work(1, 2, 3, 5, number=2))
    assert leader_of(second, [first], 1) is first
    assert leader_of(first, [second], 1) is None


def test_it_waits_no_longer_than_until_that_is_computed() -> None:
    first, second = two_prompts(work(1, 2, 3, 4, number=1), work(1, 2, 3, 5, number=2))
    first.cached = [1, 2, 3]
    assert leader_of(second, [first], 1) is None


def test_nobody_waits_for_less_than_is_worth_taking() -> None:
    first, second = two_prompts(work(1, 2, 3, 4, number=1), work(1, 2, 3, 5, number=2))
    assert leader_of(second, [first], 4) is None


def test_a_request_that_must_not_use_the_cache_waits_for_nobody() -> None:
    first, second = two_prompts(work(1, 2, 3, number=1), work(1, 2, 4, number=2, cache_prompt=False))
    assert leader_of(second, [first], 1) is None


def test_nobody_waits_for_what_belongs_to_others() -> None:
    first, second = two_prompts(work(1, 2, 3, number=1), work(1, 2, 4, number=2), scope=Scope("mine"))
    assert leader_of(second, [first], 1) is None


def test_nobody_waits_for_what_was_moved_and_not_computed() -> None:
    first, second = two_prompts(work(1, 2, 3, 4, number=1), work(1, 2, 3, 5, number=2))
    first.cached, first.inexact_from = [1, 2], 0
    assert leader_of(second, [first], 1) is None


def test_of_two_prompts_that_begin_alike_one_is_computed() -> None:
    slots = two_prompts(work(*range(20), number=1), work(*range(20), 50, number=2))
    assert shares(plan_step(slots, NO_POOL, None)) == [(0, 20)]
    assert [slot.waits_for for slot in slots] == [None, 0]


def test_where_sequences_cannot_be_cut_a_prompt_stops_where_another_one_parts_from_it() -> None:
    slots = two_prompts(work(*range(20), number=1), work(*range(10), 50, number=2))
    whole_only = Limits(n_batch=64, n_chunk=16, can_cut=False)
    assert shares(plan_step(slots, whole_only, None)) == [(0, 10)]


def test_where_sequences_cannot_be_cut_a_prompt_stops_before_its_last_token() -> None:
    whole_only = Limits(n_batch=64, n_chunk=16, can_cut=False)
    assert shares(plan_step([prefilling(0, 20)], whole_only, None)) == [(0, 19)]


def test_generating_slots_come_first_with_one_token_each() -> None:
    plan = plan_step([prefilling(0, 10), generating(1, 5), generating(2, 7)], NO_POOL, None)
    assert shares(plan) == [(1, 1), (2, 1), (0, 10)]


def test_a_long_prompt_is_cut_into_chunks_while_others_generate() -> None:
    plan = plan_step([prefilling(0, 500), generating(1, 5)], NO_POOL, None)
    assert shares(plan) == [(1, 1), (0, 16)]


def test_a_long_prompt_fills_the_batch_while_nobody_generates() -> None:
    assert shares(plan_step([prefilling(0, 500)], NO_POOL, None)) == [(0, 64)]


def test_prompts_are_computed_in_the_order_in_which_they_came() -> None:
    plan = plan_step([prefilling(0, 60, number=2), prefilling(1, 20, number=1)], NO_POOL, None)
    assert shares(plan) == [(1, 20), (0, 44)]


def test_nothing_to_do_is_an_empty_plan() -> None:
    assert shares(plan_step(idle_slots([1], []), NO_POOL, None)) == []


def test_idle_caches_give_way_to_work_least_recently_used_first() -> None:
    idle = idle_slots([1] * 40, [2] * 40)
    idle[0].last_used, idle[1].last_used = 7, 6
    plan = plan_in_pool(100, [*idle, prefilling(2, 30, number=8)])
    assert ids(plan.parked) == [1]
    assert shares(plan) == [(2, 30)]


def test_nothing_is_given_up_while_there_is_room() -> None:
    plan = plan_in_pool(100, [*idle_slots([1] * 40), prefilling(1, 60)])
    assert plan.parked == []


def test_cells_that_others_share_do_not_count_as_won() -> None:
    slots = [*idle_slots([1] * 40, [1] * 40), prefilling(2, 50, number=8)]
    cells = Cells(80, 3)
    cells.add(0, 40)
    cells.share(0, 1, 40)
    plan = plan_step(slots, NO_POOL, cells)
    assert ids(plan.parked) == [0, 1]


def test_a_prompt_that_finds_no_room_waits_and_takes_nothing_for_it() -> None:
    idle = Slot(2, 1000, cached=[1] * 10, last_used=1)
    plan = plan_in_pool(100, [generating(0, 60, number=2), prefilling(1, 50, number=3), idle])
    assert shares(plan) == [(0, 1)]
    assert plan.parked == []


def test_the_youngest_request_is_put_back_when_generating_slots_fill_the_pool() -> None:
    plan = plan_in_pool(100, [generating(0, 51, number=1), generating(1, 51, number=2)])
    assert ids(plan.requeued) == [1]
    assert shares(plan) == [(0, 1)]


def test_idle_caches_go_before_any_request_is_put_back() -> None:
    slots = [generating(0, 46, number=2), generating(1, 46, number=3), Slot(2, 1000, cached=[1] * 10, last_used=1)]
    plan = plan_in_pool(100, slots)
    assert ids(plan.parked) == [2]
    assert plan.requeued == []


def test_a_request_that_only_begins_puts_nobody_back() -> None:
    slots = [generating(0, 40, number=1), prefilling(1, 50, number=2), generating(2, 41, number=3)]
    plan = plan_in_pool(100, slots)
    assert plan.requeued == []
    assert shares(plan) == [(0, 1), (2, 1)]


def test_of_several_younger_requests_the_youngest_is_put_back() -> None:
    slots = [generating(0, 34, number=1), generating(1, 34, number=2), generating(2, 35, number=3)]
    plan = plan_in_pool(100, slots)
    assert ids(plan.requeued) == [2]


def test_who_wins_nothing_by_it_is_not_put_back() -> None:
    slots = [generating(0, 51, number=1), generating(1, 41, number=2), generating(2, 26, number=3)]
    cells = Cells(90, 3)
    cells.add(0, 50)
    cells.add(1, 40)
    cells.share(1, 2, 25)
    plan = plan_step(slots, NO_POOL, cells)
    assert 1 in ids(plan.requeued)


def test_who_waited_in_vain_takes_what_there_is_before_it_goes_on() -> None:
    slot = prefilling(0, 20)
    slot.waits_for = 3
    assert shares(plan_step([slot], NO_POOL, None)) == []
    assert shares(plan_step([slot], NO_POOL, None)) == [(0, 20)]


def test_the_oldest_request_takes_cells_from_younger_ones_though_it_only_begins() -> None:
    plan = plan_in_pool(100, [prefilling(0, 60, number=1), generating(1, 71, number=2)])
    assert ids(plan.requeued) == [1]
    assert shares(plan) == [(0, 60)]


def test_what_one_slot_gave_up_is_enough_for_two() -> None:
    idle = idle_slots([1] * 40, [2] * 40)
    plan = plan_in_pool(100, [*idle, prefilling(2, 30, number=8), prefilling(3, 30, number=9)])
    assert ids(plan.parked) == [0]


def test_the_cells_of_an_idle_owner_are_not_counted_twice() -> None:
    slots = [*idle_slots([1] * 60), generating(1, 40)]
    assert not has_room(work(*range(90)), slots, live(s0=60), pool(100, slots))


def test_what_a_working_slot_shares_needs_no_room_whoever_else_has_it() -> None:
    slots = [Slot(0, 1000), generating(1, 81)]
    cells = pool(100, slots)
    cells.share(1, 0, 70)
    slots[0].cached = slots[1].cached[:70]
    assert has_room(work(*range(72)), slots, live(s0=70, s1=70), cells)


def test_an_empty_slot_is_taken_before_one_that_holds_a_conversation() -> None:
    """Though it has a beginning in common with that, and is not next to a slot that works."""
    slots = [prefilling(0, 4), Slot(1, 1000, cached=[5] * 50, last_used=1), Slot(2, 1000), Slot(3, 1000)]
    chosen = choose_slot(work(5, 6, 7), slots, live(s1=1), have_streams=True)
    assert chosen is slots[2]
