"""Sequences with streams of their own are computed in one pass only if they are neighbours."""

import asyncio

import pytest

from slots.llama import Batch, Context
from slots.requests.request import CompletionRequest
from slots.requests.request_state import RequestState
from slots.requests.slot import Slot
from slots.scheduling.scheduler import ScheduledSlot, choose_slot, filler_slots
from tests.slots.engine_runner import Completion, MakeRunner
from tests.slots.factories import NO_MATCH

STORY = "Once upon a time, there was a little girl named Lily. She"


def slots_at_work(n_slots: int, *working: int) -> list[Slot]:
    """Slots of which the higher numbers were used less lately, some of which work."""
    slots = [Slot(number, 100, cached=[1, 2], last_used=n_slots - number) for number in range(n_slots)]
    for number in working:
        slots[number].state = RequestState(CompletionRequest((1, 2, 3)), number)
    return slots


def filler_ids(slots: list[Slot], n_tokens: int = 1) -> list[int]:
    shares = [ScheduledSlot(slot, n_tokens) for slot in slots if slot.state]
    return [slot.slot_id for slot in filler_slots(shares, slots)]


def chosen_slot_id(slots: list[Slot], *, have_streams: bool = True) -> int:
    return choose_slot(RequestState(CompletionRequest((9,)), 99), slots, NO_MATCH, have_streams=have_streams).slot_id


def test_a_request_gets_a_slot_beside_one_that_works() -> None:
    assert chosen_slot_id(slots_at_work(8, 2)) == 3
    assert chosen_slot_id(slots_at_work(8, 7)) == 6
    assert chosen_slot_id(slots_at_work(8, 2, 3, 4)) == 5


def test_of_several_neighbours_the_least_recently_used_one_is_taken() -> None:
    slots = slots_at_work(8, 4)
    slots[5].last_used = 90
    assert chosen_slot_id(slots) == 3


def test_where_nobody_works_or_in_a_pool_it_is_the_least_recently_used_of_all() -> None:
    assert chosen_slot_id(slots_at_work(8)) == 7
    assert chosen_slot_id(slots_at_work(8, 2), have_streams=False) == 7


def test_slots_between_those_that_generate_are_computed_along() -> None:
    assert filler_ids(slots_at_work(8, 0, 2, 3, 7)) == [1, 4, 5, 6]


def test_there_is_nothing_to_compute_along_for_neighbours() -> None:
    assert filler_ids(slots_at_work(8, 2, 3, 4)) == []
    assert filler_ids(slots_at_work(8, 5)) == []


def test_many_slots_between_others_are_left_out() -> None:
    assert filler_ids(slots_at_work(8, 0, 5, 7)) == [6]


def test_a_full_slot_leaves_its_gap_open() -> None:
    slots = slots_at_work(8, 0, 3, 5)
    slots[2].n_ctx = 2
    assert filler_ids(slots) == [4]


def test_beside_a_prefill_nothing_is_computed_along() -> None:
    assert filler_ids(slots_at_work(8, 0, 2), n_tokens=2) == []


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The sequences of each batch that is computed, in the batch's order."""
    seen: list[list[int]] = []
    decode = Context.decode

    def watching(context: Context, batch: Batch) -> object:
        seen.append([batch.struct.seq_id[place][0] for place in range(batch.n_tokens)])
        return decode(context, batch)

    monkeypatch.setattr(Context, "decode", watching)
    return seen


def test_texts_are_the_same_with_and_without_a_gap_between_their_slots(
    make_runner: MakeRunner, batches: list[list[int]]
) -> None:
    runner = make_runner(n_parallel=4, n_ctx=1024)

    async def both(first: int, second: int) -> tuple[str, str]:
        async def one(prompt: str, slot_id: int) -> Completion:
            return await runner.complete(prompt, n_predict=24, slot_id=slot_id, cache_prompt=False)

        one_text, other_text = await asyncio.gather(one(STORY, first), one("The dog", second))
        return one_text.text, other_text.text

    async def test() -> None:
        together = await both(0, 1)
        held = await runner.complete("A cat sat on", n_predict=4, slot_id=2)
        batches.clear()
        assert await both(1, 3) == together
        assert [1, 2, 3] in batches
        assert all(numbers == sorted(numbers) for numbers in batches)
        again = await runner.complete("A cat sat on", n_predict=4, slot_id=2)
        assert again.text == held.text
        assert again.finished.timings.cached_n > 0

    runner.run(test)


def test_a_slot_between_that_is_empty_stays_so(make_runner: MakeRunner, batches: list[list[int]]) -> None:
    runner = make_runner(n_parallel=3, n_ctx=768)

    async def test() -> None:
        await asyncio.gather(*(runner.complete(STORY, n_predict=64, slot_id=slot_id) for slot_id in (0, 2)))
        assert [0, 1, 2] in batches
        assert runner.engine.slot_statuses()[1].n_cached_tokens == 0
        assert (await runner.complete(STORY, n_predict=8, slot_id=1)).text

    runner.run(test)


def test_in_a_pool_nothing_is_computed_along(make_runner: MakeRunner, batches: list[list[int]]) -> None:
    runner = make_runner(n_parallel=3, n_ctx=768, kv_unified=True)

    async def test() -> None:
        await asyncio.gather(*(runner.complete(STORY, n_predict=64, slot_id=slot_id) for slot_id in (0, 2)))
        assert all(1 not in numbers for numbers in batches)

    runner.run(test)
