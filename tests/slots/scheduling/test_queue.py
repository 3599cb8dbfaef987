"""Who waits, for how long, and what becomes of it."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any
from unittest.mock import patch

import pytest

from slots.completion.runner import CompletionRunner
from slots.requests.request import CompletionRequest
from slots.requests.sampling_params import SamplingParams
from slots.requests.slot import Slot
from tests.slots.engine_runner import Completion, EngineRunner, MakeRunner, read

N_CTX = 256
ENDLESS = SamplingParams(temperature=0.0, ignore_eos=True)


async def write(runner: EngineRunner, prompt: tuple[int, ...], n_predict: int) -> Completion:
    return await runner.complete(prompt, ENDLESS, n_predict=n_predict)


async def order_of_ends(**answers: Awaitable[Completion]) -> list[str]:
    """The names of requests, in the order in which these ended."""
    ended: list[str] = []

    async def follow(name: str, answer: Awaitable[Completion]) -> None:
        await answer
        ended.append(name)

    await asyncio.gather(*(follow(name, answer) for name, answer in answers.items()))
    return ended


def test_a_request_that_is_cancelled_leaves_the_others_alone(
    runner: EngineRunner, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        cancelled, other = (
            runner.engine.submit(CompletionRequest(prompt, ENDLESS, n_predict=120)) for prompt in ((7, 8), (9, 10))
        )
        await anext(cancelled)
        await anext(other)
        cancelled.cancel()
        rest = await read(other)
        assert rest.finished.timings.predicted_n == 120

    with caplog.at_level(logging.WARNING, "slots"):
        runner.run(test)
    assert caplog.records == []


def test_draining_lets_requests_that_were_put_back_finish(make_runner: MakeRunner) -> None:
    runner = make_runner(n_ctx=N_CTX, n_parallel=2, kv_unified=True)
    put_back: list[Slot] = []
    requeue = CompletionRunner._preempt

    def drain_as_well(self: CompletionRunner, slot: Slot) -> None:
        requeue(self, slot)
        put_back.append(slot)
        runner.engine.drain()

    async def test() -> None:
        with patch.object(CompletionRunner, "_preempt", drain_as_well):
            answers = await asyncio.gather(*(write(runner, (token,), 150) for token in (7, 8)))
        assert put_back
        assert [len(answer.tokens) for answer in answers] == [150, 150]

    runner.run(test)


def test_who_waits_for_room_is_not_overtaken(make_runner: MakeRunner) -> None:
    runner = make_runner(n_ctx=N_CTX, n_parallel=4, kv_unified=True)

    async def test() -> None:
        ended = await order_of_ends(
            running=write(runner, tuple(range(300, 400)), 60),
            large=write(runner, tuple(range(500, 700)), 1),
            small=write(runner, (7, 8), 20),
        )
        assert ended == ["running", "large", "small"]

    runner.run(test)


def test_who_is_put_back_keeps_its_place(make_runner: MakeRunner) -> None:
    runner = make_runner(n_ctx=N_CTX, n_parallel=2, kv_unified=True)

    async def test() -> None:
        requeue: Any = CompletionRunner._preempt
        with patch.object(CompletionRunner, "_preempt", autospec=True, side_effect=requeue) as put_back:
            ended = await order_of_ends(
                oldest=write(runner, (7,), 200), younger=write(runner, (8,), 200), youngest=write(runner, (9,), 1)
            )
        assert put_back.called
        assert ended == ["oldest", "youngest", "younger"]

    runner.run(test)
