"""Requests that run side by side, wait or are cancelled."""

import asyncio

import pytest

from slots.errors import QueueFull
from slots.options import EngineOptions
from slots.requests.events import StopReason
from slots.requests.sampling_params import SamplingParams
from tests.slots.engine.prompts import ENDLESS, PROMPTS, endless, wait_until_idle
from tests.slots.engine_runner import EngineRunner, MakeRunner, read


def test_requests_side_by_side_get_the_text_that_each_gets_alone(make_runner: MakeRunner) -> None:
    runner = make_runner(kv_unified=False)

    async def test() -> None:
        alone = [(await runner.complete(prompt, n_predict=40)).text for prompt in PROMPTS]
        together = await asyncio.gather(*(runner.complete(prompt, n_predict=40) for prompt in PROMPTS))
        assert [answer.text for answer in together] == alone

    runner.run(test)


def test_in_a_shared_pool_only_a_tie_can_make_the_text_another_one(make_runner: MakeRunner) -> None:
    """There the shape of a batch changes how sums are rounded, and with it which of two equals is the largest."""
    runner = make_runner(kv_unified=True)
    with_probabilities = SamplingParams(temperature=0.0, n_probs=2)

    async def test() -> None:
        alone = [await runner.complete(prompt, with_probabilities, n_predict=40) for prompt in PROMPTS]
        together = await asyncio.gather(
            *(runner.complete(prompt, with_probabilities, n_predict=40) for prompt in PROMPTS)
        )
        for one, other in zip(alone, together, strict=True):
            for mine, theirs in zip(one.tokens, other.tokens, strict=False):
                assert mine.logprobs is not None
                first, second = mine.logprobs.top
                if mine.token != theirs.token:
                    assert first.logprob - second.logprob < 0.05
                    break

    runner.run(test)


def test_a_new_request_joins_the_running_ones(runner: EngineRunner) -> None:
    async def test() -> None:
        first = runner.engine.submit(endless(runner))
        await anext(first)
        second = await runner.complete(PROMPTS[1], n_predict=5)
        assert second.finished.reason in (StopReason.LIMIT, StopReason.EOS)
        assert any(status.is_processing for status in runner.engine.slot_statuses())
        first.cancel()
        await wait_until_idle(runner)

    runner.run(test)


def test_requests_that_share_a_full_pool_all_come_to_their_end(make_runner: MakeRunner) -> None:
    runner = make_runner(n_ctx=256, n_parallel=4)

    async def test() -> None:
        answers = await asyncio.gather(*(read(runner.engine.submit(endless(runner, prompt))) for prompt in PROMPTS))
        for prompt, answer in zip(PROMPTS, answers, strict=True):
            assert len(runner.prompt(prompt)) + len(answer.tokens) == 256
            assert answer.finished.truncated

    runner.run(test)


def test_cancelling_frees_the_slot_and_others_go_on(runner: EngineRunner) -> None:
    async def test() -> None:
        streams = [runner.engine.submit(endless(runner, prompt)) for prompt in PROMPTS[:4]]
        for stream in streams:
            await anext(stream)
        streams[0].cancel()
        freed = await runner.complete(PROMPTS[4], n_predict=3)
        assert freed.finished.reason in (StopReason.LIMIT, StopReason.EOS)
        for stream in streams[1:]:
            stream.cancel()
        await wait_until_idle(runner)

    runner.run(test)


def test_a_waiting_request_can_be_cancelled(make_runner: MakeRunner) -> None:
    runner = make_runner(EngineOptions(max_queue=1), n_parallel=1)

    async def test() -> None:
        running = runner.engine.submit(endless(runner))
        await anext(running)
        waiting = runner.engine.submit(endless(runner))
        waiting.cancel()
        running.cancel()
        await wait_until_idle(runner)
        other = await asyncio.gather(*(runner.complete(PROMPTS[0], ENDLESS, n_predict=2) for _ in range(2)))
        assert [answer.finished.timings.predicted_n for answer in other] == [2, 2]

    runner.run(test)


def test_more_requests_than_may_wait_are_refused(make_runner: MakeRunner) -> None:
    runner = make_runner(EngineOptions(max_queue=2), n_parallel=1)

    async def test() -> None:
        streams = [runner.engine.submit(endless(runner, n_predict=50)) for _ in range(3)]
        with pytest.raises(QueueFull):
            runner.engine.submit(endless(runner))
        answers = await asyncio.gather(*map(read, streams))
        assert [answer.finished.timings.predicted_n for answer in answers] == [50, 50, 50]
        later = await runner.complete(PROMPTS[0], ENDLESS, n_predict=2)
        assert later.finished.timings.predicted_n == 2

    runner.run(test)


def test_an_answer_that_nobody_reads_keeps_its_place_in_the_queue(make_runner: MakeRunner) -> None:
    runner = make_runner(EngineOptions(max_queue=1), n_parallel=1)

    async def test() -> None:
        unread = [runner.engine.submit(endless(runner, n_predict=2)) for _ in range(2)]
        await asyncio.sleep(0.1)
        await wait_until_idle(runner)
        with pytest.raises(QueueFull):
            runner.engine.submit(endless(runner))
        await read(unread[0])
        unread[1].cancel()
        for _ in range(2):
            await runner.complete(PROMPTS[0], n_predict=1)

    runner.run(test)


def test_waiting_requests_are_served_in_the_order_in_which_they_came(make_runner: MakeRunner) -> None:
    runner = make_runner(n_parallel=1)

    async def test() -> None:
        ended: list[int] = []

        async def follow(number: int) -> None:
            await read(runner.engine.submit(endless(runner, n_predict=3)))
            ended.append(number)

        await asyncio.gather(*map(follow, range(6)))
        assert ended == list(range(6))

    runner.run(test)
