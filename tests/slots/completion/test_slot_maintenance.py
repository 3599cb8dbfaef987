"""What fails for a slot before a step ends no more than the request in it."""

import asyncio
from unittest.mock import patch

import pytest

from slots.errors import StepFailed
from slots.llama import Context
from slots.options import EngineOptions, SpeculationOptions
from slots.requests.sampling_params import SamplingParams
from slots.speculation import DraftScheduler
from tests.slots.engine_runner import Completion, EngineRunner, MakeRunner

SHIFTING = EngineOptions(context_shift=True)
N_CTX = 256
ENDLESS = SamplingParams(temperature=0.0, ignore_eos=True)
BUG = RuntimeError("a bug")


async def write(runner: EngineRunner, prompt: tuple[int, ...], n_predict: int, **options: int) -> Completion:
    return await runner.complete(prompt, ENDLESS, n_predict=n_predict, **options)


def n_cached(runner: EngineRunner) -> list[int]:
    return [status.n_cached_tokens for status in runner.engine.slot_statuses()]


def test_a_context_that_cannot_be_shifted_fails_its_request_alone(make_runner: MakeRunner) -> None:
    runner = make_runner(SHIFTING, n_ctx=3 * N_CTX, n_parallel=3, kv_unified=False)
    full, other = tuple(range(300, 300 + N_CTX)), tuple(range(600, 640))

    async def test() -> None:
        await write(runner, (7, 8, 9), 1, slot_id=2)
        alongside = asyncio.ensure_future(write(runner, other, 60, slot_id=1))
        with patch.object(Context, "remove_range", side_effect=BUG):
            with pytest.raises(StepFailed):
                await write(runner, full, 20, slot_id=0)
            assert len((await alongside).tokens) == 60
        assert n_cached(runner) == [0, len(other) + 59, 3]
        again = await write(runner, full, 20, slot_id=0)
        assert len(again.tokens) == 20
        assert again.finished.timings.cached_n == 0

    runner.run(test)


def test_a_prefix_that_cannot_be_taken_fails_those_that_still_read_their_prompts(make_runner: MakeRunner) -> None:
    runner = make_runner(n_ctx=1024, n_parallel=3, kv_unified=True)
    prefix = tuple(range(300, 400))

    async def test() -> None:
        with patch.object(Context, "share_prefix", side_effect=BUG):
            leader, follower, alongside = await asyncio.gather(
                write(runner, (*prefix, 7), 30),
                write(runner, (*prefix, 8), 30),
                write(runner, (9, 10, 11), 60),
                return_exceptions=True,
            )
        assert isinstance(follower, StepFailed)
        assert isinstance(leader, Completion)
        assert isinstance(alongside, Completion)
        assert len(alongside.tokens) == 60

    runner.run(test)


def test_an_idle_slot_that_cannot_be_parked_is_lost_without_harm(make_runner: MakeRunner) -> None:
    runner = make_runner(n_ctx=N_CTX, n_parallel=4, kv_unified=True)

    async def test() -> None:
        await write(runner, tuple(range(300, 450)), 1)
        with patch.object(Context, "snapshot", side_effect=BUG) as snapshot:
            answer = await write(runner, tuple(range(600, 750)), 5)
        assert snapshot.called
        assert len(answer.tokens) == 5
        assert sorted(n_cached(runner)) == [0, 0, 0, 154]

    runner.run(test)


def test_a_request_that_is_put_back_goes_on_also_if_its_slot_cannot_be_parked(make_runner: MakeRunner) -> None:
    runner = make_runner(n_ctx=N_CTX, n_parallel=2, kv_unified=True)

    async def test() -> None:
        with patch.object(Context, "snapshot", side_effect=BUG) as snapshot:
            answers = await asyncio.gather(*(write(runner, (token,), 150) for token in (7, 8)))
        assert snapshot.called
        assert [len(answer.tokens) for answer in answers] == [150, 150]

    runner.run(test)


def test_a_drafter_that_fails_ends_the_requests_of_the_step_alone(make_runner: MakeRunner) -> None:
    drafting = EngineOptions(speculation=SpeculationOptions(("ngram",)))
    runner = make_runner(drafting, n_ctx=2 * N_CTX, n_parallel=2, kv_unified=False)

    async def test() -> None:
        await write(runner, (7, 8, 9), 1, slot_id=1)
        with patch.object(DraftScheduler, "propose", side_effect=BUG), pytest.raises(StepFailed):
            await write(runner, (5, 6), 20, slot_id=0)
        assert n_cached(runner) == [0, 3]

    runner.run(test)
