"""Which slot a request gets, and what it finds there."""

from tests.slots.engine.prompts import ENDLESS, PROMPTS, endless, wait_until_idle
from tests.slots.engine_runner import EngineRunner


def test_what_a_slot_has_of_a_prompt_is_not_computed_again(runner: EngineRunner) -> None:
    async def test() -> None:
        prompt = runner.prompt("Once upon a time, there was a little dog who liked to play with a red ball.")
        first = await runner.complete(prompt, n_predict=4, cache_prompt=False)
        assert first.finished.timings.cached_n == 0
        second = await runner.complete(prompt, n_predict=4)
        assert second.finished.timings.cached_n == len(prompt) - 1
        assert second.finished.timings.prompt_n == 1
        assert second.finished.slot_id == first.finished.slot_id
        assert second.text == first.text

    runner.run(test)


def test_a_conversation_that_goes_on_computes_only_what_is_new(runner: EngineRunner) -> None:
    async def test() -> None:
        prompt = runner.prompt("Lily and Ben wanted to see what was in the big old box in the garden.")
        first = await runner.complete(prompt, ENDLESS, n_predict=20)
        so_far = (*prompt, *first.token_ids)
        second = await runner.complete((*so_far, 5, 6), n_predict=1)
        assert second.finished.timings.cached_n == len(so_far) - 1

    runner.run(test)


def test_a_request_can_refuse_the_cache(runner: EngineRunner) -> None:
    async def test() -> None:
        await runner.complete(PROMPTS[0], n_predict=1)
        answer = await runner.complete(PROMPTS[0], n_predict=1, cache_prompt=False)
        assert answer.finished.timings.cached_n == 0

    runner.run(test)


def test_a_request_gets_the_slot_it_asks_for(runner: EngineRunner) -> None:
    async def test() -> None:
        for slot_id in range(runner.engine.n_slots):
            answer = await runner.complete(PROMPTS[0], n_predict=1, slot_id=slot_id)
            assert answer.finished.slot_id == slot_id

    runner.run(test)


def test_a_session_gets_its_slot_again(runner: EngineRunner) -> None:
    async def test() -> None:
        first = await runner.complete(PROMPTS[2], n_predict=1, session="a visitor", slot_id=3)
        again = await runner.complete(PROMPTS[5], n_predict=1, session="a visitor")
        assert again.finished.slot_id == first.finished.slot_id == 3

    runner.run(test)


def test_slots_tell_what_they_do(runner: EngineRunner) -> None:
    async def test() -> None:
        stream = runner.engine.submit(endless(runner, n_predict=400, slot_id=2))
        await anext(stream)
        status = runner.engine.slot_statuses()[2]
        assert status.slot_id == 2
        assert status.is_processing
        assert status.n_prompt_tokens == len(runner.prompt(PROMPTS[0]))
        assert status.n_decoded >= 1
        stream.cancel()
        await wait_until_idle(runner)
        assert not runner.engine.slot_statuses()[2].is_processing

    runner.run(test)
