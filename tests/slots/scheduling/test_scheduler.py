from slots.cache.cell_pool import CellPool
from slots.requests.request_state import RequestState
from slots.requests.scope import CacheScope
from slots.requests.slot import Slot
from slots.scheduling.scheduler import (
    SchedulerConfig,
    SchedulerOutput,
    prefill_leader,
    record_shared_prefixes,
    schedule,
)
from tests.slots.factories import (
    cell_pool,
    generating,
    idle_slots,
    ids,
    prefilling,
    prefilling_media,
    request_state,
)

NO_POOL = SchedulerConfig(n_batch=64, n_chunk=16)


def schedule_in_pool(n_cells: int, slots: list[Slot]) -> SchedulerOutput:
    return schedule(slots, NO_POOL, cell_pool(n_cells, slots))


def scheduled(output: SchedulerOutput) -> list[tuple[int, int]]:
    return [(each.slot.slot_id, each.n_tokens) for each in output.scheduled]


def two_prompts(one: RequestState, other: RequestState, scope: CacheScope | None = None) -> tuple[Slot, Slot]:
    """Two slots that begin to compute prompts."""
    first, second = Slot(0, 1000), Slot(1, 1000)
    first.assign(one)
    second.assign(other)
    second.scope = scope or second.scope
    record_shared_prefixes(second, [first, second])
    return first, second


def test_a_prompt_waits_for_the_older_one_that_begins_like_it() -> None:
    first, second = two_prompts(request_state(1, 2, 3, 4, request_id=1), request_state(1, 2, 3, 5, request_id=2))
    assert prefill_leader(second, [first], 1) is first
    assert prefill_leader(first, [second], 1) is None


def test_it_waits_no_longer_than_until_that_is_computed() -> None:
    first, second = two_prompts(request_state(1, 2, 3, 4, request_id=1), request_state(1, 2, 3, 5, request_id=2))
    first.cached = [1, 2, 3]
    assert prefill_leader(second, [first], 1) is None


def test_nobody_waits_for_less_than_is_worth_taking() -> None:
    first, second = two_prompts(request_state(1, 2, 3, 4, request_id=1), request_state(1, 2, 3, 5, request_id=2))
    assert prefill_leader(second, [first], 4) is None


def test_a_request_that_must_not_use_the_cache_waits_for_nobody() -> None:
    first, second = two_prompts(
        request_state(1, 2, 3, request_id=1), request_state(1, 2, 4, request_id=2, cache_prompt=False)
    )
    assert prefill_leader(second, [first], 1) is None


def test_nobody_waits_for_what_belongs_to_others() -> None:
    first, second = two_prompts(
        request_state(1, 2, 3, request_id=1), request_state(1, 2, 4, request_id=2), scope=CacheScope("mine")
    )
    assert prefill_leader(second, [first], 1) is None


def test_nobody_waits_for_what_was_moved_and_not_computed() -> None:
    first, second = two_prompts(request_state(1, 2, 3, 4, request_id=1), request_state(1, 2, 3, 5, request_id=2))
    first.cached, first.shifted_from = [1, 2], 0
    assert prefill_leader(second, [first], 1) is None


def test_of_two_prompts_that_begin_alike_one_is_computed() -> None:
    slots = two_prompts(request_state(*range(20), request_id=1), request_state(*range(20), 50, request_id=2))
    assert scheduled(schedule(slots, NO_POOL, None)) == [(0, 20)]
    assert [slot.waits_for for slot in slots] == [None, 0]


def test_where_sequences_cannot_be_cut_a_prompt_stops_where_another_one_parts_from_it() -> None:
    slots = two_prompts(request_state(*range(20), request_id=1), request_state(*range(10), 50, request_id=2))
    whole_only = SchedulerConfig(n_batch=64, n_chunk=16, can_truncate=False)
    assert scheduled(schedule(slots, whole_only, None)) == [(0, 10)]


def test_where_sequences_cannot_be_cut_a_prompt_stops_before_its_last_token() -> None:
    whole_only = SchedulerConfig(n_batch=64, n_chunk=16, can_truncate=False)
    assert scheduled(schedule([prefilling(0, 20)], whole_only, None)) == [(0, 19)]


def test_generating_slots_come_first_with_one_token_each() -> None:
    output = schedule([prefilling(0, 10), generating(1, 5), generating(2, 7)], NO_POOL, None)
    assert scheduled(output) == [(1, 1), (2, 1), (0, 10)]


def test_a_long_prompt_is_cut_into_chunks_while_others_generate() -> None:
    output = schedule([prefilling(0, 500), generating(1, 5)], NO_POOL, None)
    assert scheduled(output) == [(1, 1), (0, 16)]


def test_a_long_prompt_fills_the_batch_while_nobody_generates() -> None:
    assert scheduled(schedule([prefilling(0, 500)], NO_POOL, None)) == [(0, 64)]


MEDIA = SchedulerConfig(n_batch=64, n_chunk=16, n_media_chunk=4)


def test_a_picture_is_cut_into_smaller_chunks_while_others_generate() -> None:
    output = schedule([prefilling_media(0, 40), generating(1, 5)], MEDIA, None)
    assert scheduled(output) == [(1, 1), (0, 4)]


def test_a_picture_fills_the_batch_while_nobody_generates() -> None:
    assert scheduled(schedule([prefilling_media(0, 100)], MEDIA, None)) == [(0, 64)]


def test_pictures_of_two_prompts_share_the_chunk_and_texts_get_the_rest() -> None:
    slots = [prefilling_media(0, 3), prefilling_media(1, 30), prefilling(2, 50), generating(3, 5)]
    assert scheduled(schedule(slots, MEDIA, None)) == [(3, 1), (0, 3), (1, 1), (2, 12)]


def test_a_picture_that_must_not_be_cut_is_computed_at_once_while_others_generate() -> None:
    slots = [prefilling_media(0, 40, is_causal=False), prefilling_media(1, 30), generating(2, 5)]
    assert scheduled(schedule(slots, MEDIA, None)) == [(2, 1), (0, 40)]


def test_prompts_are_computed_in_the_order_in_which_they_came() -> None:
    output = schedule([prefilling(0, 60, request_id=2), prefilling(1, 20, request_id=1)], NO_POOL, None)
    assert scheduled(output) == [(1, 20), (0, 44)]


def test_nothing_to_do_is_an_empty_plan() -> None:
    assert scheduled(schedule(idle_slots([1], []), NO_POOL, None)) == []


def test_idle_caches_give_way_to_work_least_recently_used_first() -> None:
    idle = idle_slots([1] * 40, [2] * 40)
    idle[0].last_used, idle[1].last_used = 7, 6
    output = schedule_in_pool(100, [*idle, prefilling(2, 30, request_id=8)])
    assert ids(output.evicted) == [1]
    assert scheduled(output) == [(2, 30)]


def test_nothing_is_given_up_while_there_is_room() -> None:
    output = schedule_in_pool(100, [*idle_slots([1] * 40), prefilling(1, 60)])
    assert output.evicted == []


def test_cells_that_others_share_do_not_count_as_won() -> None:
    slots = [*idle_slots([1] * 40, [1] * 40), prefilling(2, 50, request_id=8)]
    cells = CellPool(80, 3)
    cells.add(0, 40)
    cells.share(0, 1, 40)
    output = schedule(slots, NO_POOL, cells)
    assert ids(output.evicted) == [0, 1]


def test_a_prompt_that_finds_no_room_waits_and_takes_nothing_for_it() -> None:
    idle = Slot(2, 1000, cached=[1] * 10, last_used=1)
    output = schedule_in_pool(100, [generating(0, 60, request_id=2), prefilling(1, 50, request_id=3), idle])
    assert scheduled(output) == [(0, 1)]
    assert output.evicted == []


def test_the_youngest_request_is_put_back_when_generating_slots_fill_the_pool() -> None:
    output = schedule_in_pool(100, [generating(0, 51, request_id=1), generating(1, 51, request_id=2)])
    assert ids(output.preempted) == [1]
    assert scheduled(output) == [(0, 1)]


def test_idle_caches_go_before_any_request_is_put_back() -> None:
    slots = [
        generating(0, 46, request_id=2),
        generating(1, 46, request_id=3),
        Slot(2, 1000, cached=[1] * 10, last_used=1),
    ]
    output = schedule_in_pool(100, slots)
    assert ids(output.evicted) == [2]
    assert output.preempted == []


def test_a_request_that_only_begins_puts_nobody_back() -> None:
    slots = [generating(0, 40, request_id=1), prefilling(1, 50, request_id=2), generating(2, 41, request_id=3)]
    output = schedule_in_pool(100, slots)
    assert output.preempted == []
    assert scheduled(output) == [(0, 1), (2, 1)]


def test_of_several_younger_requests_the_youngest_is_put_back() -> None:
    slots = [generating(0, 34, request_id=1), generating(1, 34, request_id=2), generating(2, 35, request_id=3)]
    output = schedule_in_pool(100, slots)
    assert ids(output.preempted) == [2]


def test_who_wins_nothing_by_it_is_not_put_back() -> None:
    slots = [generating(0, 51, request_id=1), generating(1, 41, request_id=2), generating(2, 26, request_id=3)]
    cells = CellPool(90, 3)
    cells.add(0, 50)
    cells.add(1, 40)
    cells.share(1, 2, 25)
    output = schedule(slots, NO_POOL, cells)
    assert 1 in ids(output.preempted)


def test_who_waited_in_vain_takes_what_there_is_before_it_goes_on() -> None:
    slot = prefilling(0, 20)
    slot.waits_for = 3
    assert scheduled(schedule([slot], NO_POOL, None)) == []
    assert scheduled(schedule([slot], NO_POOL, None)) == [(0, 20)]


def test_the_oldest_request_takes_cells_from_younger_ones_though_it_only_begins() -> None:
    output = schedule_in_pool(100, [prefilling(0, 60, request_id=1), generating(1, 71, request_id=2)])
    assert ids(output.preempted) == [1]
    assert scheduled(output) == [(0, 60)]


def test_what_one_slot_gave_up_is_enough_for_two() -> None:
    idle = idle_slots([1] * 40, [2] * 40)
    output = schedule_in_pool(100, [*idle, prefilling(2, 30, request_id=8), prefilling(3, 30, request_id=9)])
    assert ids(output.evicted) == [0]
