"""Refused requests, failed steps, and the end of the engine."""

import asyncio
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from benchmarks.sampling.synthetic_model import write_model
from slots.completion.input_batch import InputBatch
from slots.engine import Engine
from slots.errors import InvalidRequest, ModelLoadError, ShuttingDown, StepFailed
from slots.llama import Context, DecodeError
from slots.options import ContextOptions, EngineOptions, ModelOptions
from slots.requests.events import Finished
from slots.requests.request import CompletionRequest
from slots.requests.sampling_params import SamplingParams
from slots.scheduling.kv_cache_manager import KvCacheManager
from tests.slots.engine.prompts import ENDLESS, PROMPTS, endless
from tests.slots.engine_runner import GREEDY, EngineRunner, MakeRunner, read


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("prompt", {"prompt": (10**6,)}),
        ("prompt", {"prompt": (-1,)}),
        ("slot_id", {"slot_id": 99}),
        ("logit_bias", {"sampling": SamplingParams(logit_bias=((10**6, 1.0),))}),
    ],
)
def test_what_this_model_cannot_serve_is_refused_by_name(
    runner: EngineRunner, field: str, options: dict[str, Any]
) -> None:
    async def test() -> None:
        with pytest.raises(InvalidRequest) as refused:
            runner.engine.submit(CompletionRequest(**{"prompt": (1,), **options}))
        assert refused.value.field == field

    runner.run(test)


def test_a_request_that_rules_out_every_token_fails_alone(runner: EngineRunner) -> None:
    async def test() -> None:
        other = asyncio.ensure_future(runner.complete(PROMPTS[1], ENDLESS, n_predict=30))
        nothing_left = tuple((token, float("-inf")) for token in range(runner.engine.vocab.n_tokens))
        with pytest.raises(InvalidRequest):
            await runner.complete(PROMPTS[0], SamplingParams(logit_bias=nothing_left))
        assert (await other).finished.timings.predicted_n == 30

    runner.run(test)


@pytest.mark.parametrize("failure", [DecodeError("no"), RuntimeError("a bug")])
def test_a_step_that_fails_ends_its_requests_and_the_next_step_runs(runner: EngineRunner, failure: Exception) -> None:
    async def test() -> None:
        with patch.object(Context, "decode", side_effect=failure), pytest.raises(StepFailed):
            await runner.complete(PROMPTS[0], slot_id=0)
        answer = await runner.complete(PROMPTS[0], GREEDY, n_predict=5, slot_id=0)
        assert answer.finished.timings.cached_n == 0
        assert answer.text

    runner.run(test)


def test_a_failure_outside_of_a_step_ends_all_requests_and_the_engine_goes_on(runner: EngineRunner) -> None:
    async def test() -> None:
        with patch("slots.scheduling.scheduler.choose_slot", side_effect=MemoryError), pytest.raises(StepFailed):
            await runner.complete(PROMPTS[0])
        assert (await runner.complete(PROMPTS[0], n_predict=5)).text

    runner.run(test)


def test_an_engine_whose_thread_fails_ends_all_streams_and_says_so(make_runner: MakeRunner) -> None:
    runner = make_runner()

    async def test() -> None:
        stream = runner.engine.submit(endless(runner))
        await anext(stream)
        with (
            patch.object(InputBatch, "is_next", side_effect=SystemError),  # called in every step
            patch.object(KvCacheManager, "reset", side_effect=SystemError),
        ):
            with pytest.raises((StepFailed, ShuttingDown)):
                await read(stream)
            with pytest.raises(StepFailed, match="has to be started again"):
                while True:
                    await read(runner.engine.submit(endless(runner)))

    runner.run(test)


def test_draining_lets_running_requests_finish_and_fails_the_others(make_runner: MakeRunner) -> None:
    runner = make_runner(n_parallel=1)

    async def test() -> None:
        running = runner.engine.submit(endless(runner, n_predict=60))
        await anext(running)
        waiting = runner.engine.submit(endless(runner))
        runner.engine.drain()
        with pytest.raises(ShuttingDown):
            runner.engine.submit(endless(runner))
        with pytest.raises(ShuttingDown):
            await read(waiting)
        finished = [event async for event in running][-1]
        assert isinstance(finished, Finished)
        assert finished.timings.predicted_n == 60

    runner.run(test)


def test_stopping_ends_running_requests_with_an_error(make_runner: MakeRunner) -> None:
    runner = make_runner()

    async def test() -> None:
        stream = runner.engine.submit(endless(runner))
        await anext(stream)
        runner.engine.stop()
        with pytest.raises(ShuttingDown):
            await read(stream)
        assert runner.prompt("the vocabulary is still there")

    runner.run(test)


def test_a_model_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    """llama.cpp aborts the process when it is asked for the tokens of such a model."""
    path = tmp_path / "model.gguf"
    write_model(path, 1000)
    with pytest.raises(ModelLoadError, match="has no tokenizer"):
        Engine.load(ModelOptions(path), ContextOptions(n_ctx=256), EngineOptions(), lambda _share: None)
