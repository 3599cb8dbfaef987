"""Contexts, batches and requests that fail, and how the engine stops."""

import asyncio
import threading
from typing import Any
from unittest.mock import patch

import pytest

from slots.embedding.pooling import Embedding
from slots.errors import ModelLoadError, QueueFull, ShuttingDown, StepFailed
from slots.llama import DecodeError, EmbeddingContext
from slots.options import EngineOptions
from slots.requests.request import CompletionRequest
from tests.slots.embedding.texts import TEXTS, MakeEngine, assert_alike, embed
from tests.slots.engine_runner import GREEDY, EngineRunner, read


def test_the_context_for_embeddings_is_made_for_the_first_text(make: MakeEngine) -> None:
    contexts: list[EmbeddingContext] = []
    original = EmbeddingContext.__init__

    def count(self: EmbeddingContext, *arguments: Any, **options: Any) -> None:
        contexts.append(self)
        original(self, *arguments, **options)

    with patch.object(EmbeddingContext, "__init__", count):
        runner = make()

        async def test() -> None:
            await runner.complete("Once", n_predict=2)
            assert contexts == []
            await embed(runner, *TEXTS)
            await embed(runner, *TEXTS)
            assert len(contexts) == 1

        runner.run(test)


def test_a_context_that_cannot_be_made_fails_the_texts_that_need_it(make: MakeEngine) -> None:
    runner = make()

    async def test() -> None:
        with patch.object(EmbeddingContext, "_make", side_effect=ModelLoadError("no memory")):
            with pytest.raises(StepFailed, match="no memory"):
                await embed(runner, *TEXTS)
            assert (await runner.complete("Once", n_predict=2)).tokens
        assert len(await embed(runner, *TEXTS)) == len(TEXTS)

    runner.run(test)


def test_a_request_that_nobody_waits_for_makes_room_for_others(make: MakeEngine) -> None:
    runner = make(options=EngineOptions(max_queue=1), n_parallel=1, n_ubatch=32)

    async def test() -> None:
        many = [asyncio.ensure_future(embed(runner, *TEXTS * 200)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFull):
            await embed(runner, TEXTS[0])
        for each in many:
            each.cancel()
        await asyncio.wait(many)
        assert len(await embed(runner, *TEXTS)) == len(TEXTS)

    runner.run(test)


def test_large_requests_together_are_refused_though_there_are_places(make: MakeEngine) -> None:
    runner = make(n_ubatch=32)

    async def test() -> None:
        with patch("slots.engine.engine.MAX_QUEUED_TOKENS", 500):
            large = asyncio.ensure_future(embed(runner, *TEXTS * 2))
            await asyncio.sleep(0)
            with pytest.raises(QueueFull, match="texts of 964 tokens wait"):
                await embed(runner, TEXTS[0])
            assert len(await large) == 2 * len(TEXTS)
            assert len(await embed(runner, TEXTS[0])) == 1

    runner.run(test)


@pytest.mark.parametrize("failure", [DecodeError("no"), RuntimeError("a bug")])
def test_a_batch_that_fails_ends_its_requests_and_the_next_one_runs(runner: EngineRunner, failure: Exception) -> None:
    async def test() -> None:
        before = await embed(runner, *TEXTS)
        generating = asyncio.ensure_future(runner.complete("Once", GREEDY, n_predict=20))
        with patch.object(EmbeddingContext, "compute", side_effect=failure), pytest.raises(StepFailed):
            await embed(runner, *TEXTS)
        assert (await generating).finished.timings.predicted_n == 20
        for one, other in zip(await embed(runner, *TEXTS), before, strict=True):
            assert_alike(one, other)

    runner.run(test)


def test_draining_finishes_what_was_begun_and_fails_the_rest(make: MakeEngine) -> None:
    runner = make(n_ubatch=32)
    is_computing, may_go_on = threading.Event(), threading.Event()
    compute = EmbeddingContext.compute

    def wait(context: EmbeddingContext) -> Embedding:
        is_computing.set()
        may_go_on.wait()
        return compute(context)

    async def test() -> None:
        with patch.object(EmbeddingContext, "compute", wait):
            begun = asyncio.ensure_future(embed(runner, *TEXTS))
            await asyncio.to_thread(is_computing.wait)
            late = asyncio.ensure_future(embed(runner, TEXTS[0]))
            await asyncio.sleep(0)
            runner.engine.drain()
            may_go_on.set()
            with pytest.raises(ShuttingDown):
                await late
            assert len(await begun) == len(TEXTS)
        with pytest.raises(ShuttingDown):
            await embed(runner, TEXTS[0])

    runner.run(test)


def test_stopping_ends_what_is_being_embedded_with_an_error(make: MakeEngine) -> None:
    runner = make(n_ubatch=32)

    async def test() -> None:
        embedding = asyncio.ensure_future(embed(runner, *TEXTS * 200))
        stream = runner.engine.submit(CompletionRequest(runner.prompt("Once"), GREEDY, n_predict=2))
        await read(stream)
        await asyncio.to_thread(runner.engine.stop)
        with pytest.raises(ShuttingDown):
            await embedding

    runner.run(test)
