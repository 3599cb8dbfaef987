import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slots.request import CompletionRequest
from slots.scheduler import Limits, Plan, choose_slot, plan_step
from slots.slot import Slot

NO_POOL = Limits(n_batch=64, n_chunk=16, n_pool=None)


def request(*prompt: int, **options: Any) -> CompletionRequest:
    return CompletionRequest(prompt or (1,), **options)


def idle_slots(*cached: list[int]) -> list[Slot]:
    """Idle slots with these caches; of those that were used, the later ones were used more lately."""
    return [Slot(n, 1000, cached=tokens, last_used=n + 1 if tokens else 0) for n, tokens in enumerate(cached)]


def prefilling(slot_id: int, n_pending: int, *, number: int | None = None) -> Slot:
    slot = Slot(slot_id, 1000)
    slot.take(request(*range(n_pending)), number or slot_id + 1, 0)
    return slot


def generating(slot_id: int, n_tokens: int, *, number: int | None = None) -> Slot:
    slot = prefilling(slot_id, n_tokens, number=number)
    slot.cached = slot.tokens[:-1]
    assert slot.work
    slot.work.n_decoded = 1
    return slot


def shares(plan: Plan) -> list[tuple[int, int]]:
    return [(share.slot.slot_id, share.n_tokens) for share in plan.shares]


def test_the_slot_that_is_asked_for_is_taken() -> None:
    slots = idle_slots([1], [2], [3])
    assert choose_slot(request(1, slot_id=2), slots) is slots[2]


def test_a_slot_that_is_asked_for_is_waited_for() -> None:
    slots = [prefilling(0, 4), *idle_slots([1])]
    assert choose_slot(request(slot_id=0), slots) is None


def test_a_session_gets_its_slot_again() -> None:
    slots = idle_slots([1, 2], [3], [4])
    slots[1].session = "mine"
    assert choose_slot(request(1, 2, session="mine"), slots) is slots[1]


def test_a_request_without_a_session_does_not_match_slots_without_one() -> None:
    slots = idle_slots([5], [6], [])
    assert choose_slot(request(1, session=None), slots) is slots[2]


def test_a_session_whose_slot_is_busy_gets_another_one() -> None:
    slots = [generating(0, 3), *idle_slots([9])]
    slots[0].session = "mine"
    assert choose_slot(request(session="mine"), slots) is slots[1]


def test_the_longest_common_prefix_decides_next() -> None:
    slots = idle_slots([1, 2], [1, 2, 3], [9], [])
    assert choose_slot(request(1, 2, 3, 4), slots) is slots[1]


def test_a_prefix_of_less_than_a_tenth_of_the_prompt_takes_no_slot_from_a_conversation() -> None:
    slots = idle_slots([1], [])
    assert choose_slot(request(*range(1, 21)), slots) is slots[1]


def test_a_request_that_must_not_use_the_cache_leaves_the_fitting_slot_alone() -> None:
    slots = idle_slots([], [1, 2, 3])
    assert choose_slot(request(1, 2, 3, cache_prompt=False), slots) is slots[0]


def test_otherwise_the_least_recently_used_slot_is_taken() -> None:
    slots = idle_slots([1], [2], [3])
    slots[0].last_used, slots[1].last_used, slots[2].last_used = 5, 3, 4
    assert choose_slot(request(9), slots) is slots[1]


def test_when_all_slots_are_busy_a_request_waits() -> None:
    assert choose_slot(request(), [prefilling(0, 4), generating(1, 4)]) is None


def test_generating_slots_come_first_with_one_token_each() -> None:
    plan = plan_step([prefilling(0, 10), generating(1, 5), generating(2, 7)], NO_POOL)
    assert shares(plan) == [(1, 1), (2, 1), (0, 10)]


def test_a_long_prompt_is_cut_into_chunks_while_others_generate() -> None:
    plan = plan_step([prefilling(0, 500), generating(1, 5)], NO_POOL)
    assert shares(plan) == [(1, 1), (0, 16)]


def test_a_long_prompt_fills_the_batch_while_nobody_generates() -> None:
    assert shares(plan_step([prefilling(0, 500)], NO_POOL)) == [(0, 64)]


def test_prompts_are_computed_in_the_order_in_which_they_came() -> None:
    plan = plan_step([prefilling(0, 60, number=2), prefilling(1, 20, number=1)], NO_POOL)
    assert shares(plan) == [(1, 20), (0, 44)]


def test_nothing_to_do_is_an_empty_plan() -> None:
    assert shares(plan_step(idle_slots([1], []), NO_POOL)) == []


def test_idle_caches_give_way_to_work_least_recently_used_first() -> None:
    idle = idle_slots([1] * 40, [2] * 40)
    idle[0].last_used, idle[1].last_used = 7, 6
    plan = plan_step([*idle, prefilling(2, 30, number=8)], Limits(64, 16, n_pool=100))
    assert [slot.slot_id for slot in plan.dropped] == [1]
    assert shares(plan) == [(2, 30)]


def test_nothing_is_dropped_while_there_is_room() -> None:
    plan = plan_step([*idle_slots([1] * 40), prefilling(1, 60)], Limits(64, 16, n_pool=100))
    assert plan.dropped == []


def test_a_prompt_that_finds_no_room_waits_and_drops_nothing_for_it() -> None:
    idle = Slot(2, 1000, cached=[1] * 10, last_used=1)
    plan = plan_step([generating(0, 60, number=2), prefilling(1, 50, number=3), idle], Limits(64, 16, n_pool=100))
    assert shares(plan) == [(0, 1)]
    assert plan.dropped == []


def test_the_youngest_request_gives_way_when_generating_slots_fill_the_pool() -> None:
    slots = [generating(0, 51, number=1), generating(1, 51, number=2)]
    plan = plan_step(slots, Limits(64, 16, n_pool=100))
    assert [slot.slot_id for slot in plan.dropped] == [1]
    assert shares(plan) == [(0, 1)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4), st.sampled_from([None, 40, 60]))
def test_every_request_comes_to_its_end_within_the_limits(seed: int, n_slots: int, n_pool: int | None) -> None:
    """A whole run with random requests: no batch is too large, the pool never overflows, nobody starves."""
    chance = random.Random(seed)
    limits = Limits(n_batch=16, n_chunk=6, n_pool=n_pool)
    slots = [Slot(n, 40) for n in range(n_slots)]
    waiting = [(request(*(chance.randrange(3) for _ in range(chance.randint(1, 30)))), n) for n in range(1, 12)]
    to_generate: dict[int, int] = {}
    for _step in range(2000):
        for candidate, number in list(waiting):
            slot = choose_slot(candidate, slots)
            if slot:
                slot.take(candidate, number, 0)
                to_generate[slot.slot_id] = chance.randint(1, 40 - len(candidate.prompt) + 1)
                waiting.remove((candidate, number))
        plan = plan_step(slots, limits)
        if not waiting and not any(slot.work for slot in slots):
            break
        assert plan.shares, "somebody works, but the step is empty"
        for dropped in plan.dropped:
            dropped.cached.clear()
        assert sum(share.n_tokens for share in plan.shares) <= limits.n_batch
        for share in plan.shares:
            slot = share.slot
            slot.cached += slot.tokens[len(slot.cached) :][: share.n_tokens]
            if slot.n_pending == 0:
                assert slot.work
                slot.work.n_decoded += 1
                slot.tokens.append(0)
                if slot.work.n_decoded == to_generate[slot.slot_id]:
                    slot.release()
        assert n_pool is None or sum(len(slot.cached) for slot in slots) <= n_pool
    else:
        pytest.fail("some requests never end")
