"""Embeddings from the real engine, alongside completions and other texts."""

import asyncio
import threading
from unittest.mock import patch

from slots.embedding.pooling import Embedding
from slots.embedding.request import EmbeddingRequest
from slots.llama import EmbeddingContext
from slots.options import ContextOptions
from slots.requests.request import CompletionRequest
from tests.slots.embedding.texts import TEXTS, MakeEngine, assert_alike, embed
from tests.slots.engine_runner import GREEDY, load_engine, read


def test_embeddings_and_completions_run_side_by_side(make: MakeEngine) -> None:
    runner = make(n_ubatch=32)

    async def test() -> None:
        alone = await embed(runner, *TEXTS)
        text = (await runner.complete("Once upon a time", n_predict=40)).text
        streams = [runner.complete("Once upon a time", n_predict=40, slot_id=slot) for slot in range(3)]
        embedding = asyncio.gather(*(embed(runner, *TEXTS) for _ in range(3)))
        assert [answer.text for answer in await asyncio.gather(*streams)] == [text] * 3
        for beside in await embedding:
            for one, other in zip(beside, alone, strict=True):
                assert_alike(one, other)

    runner.run(test)


def test_a_completion_gets_tokens_while_many_texts_are_embedded(make: MakeEngine) -> None:
    runner = make(n_ubatch=32)

    async def test() -> None:
        embedding = asyncio.ensure_future(embed(runner, *TEXTS * 10))
        await runner.complete("Once upon a time", n_predict=10)
        assert not embedding.done()
        await embedding

    runner.run(test)


def test_a_token_is_told_before_the_texts_of_the_same_turn_are_embedded() -> None:
    engine = load_engine(ContextOptions(n_threads=1))
    token_arrived = threading.Event()
    compute = EmbeddingContext.compute

    def wait(context: EmbeddingContext) -> Embedding:
        assert token_arrived.wait(timeout=30)
        return compute(context)

    async def test() -> None:
        stream = engine.submit(CompletionRequest((7,), GREEDY, n_predict=1))
        embedding = asyncio.ensure_future(engine.embed(EmbeddingRequest(TEXTS)))
        await asyncio.sleep(0)
        with patch.object(EmbeddingContext, "compute", wait):
            engine.start(asyncio.get_running_loop())
            await read(stream)
            token_arrived.set()
            assert len(await embedding) == len(TEXTS)

    asyncio.run(test())
    engine.stop()


def test_a_few_texts_do_not_wait_for_many_that_came_before(make: MakeEngine) -> None:
    runner = make(n_ubatch=32)

    async def test() -> None:
        many = asyncio.ensure_future(embed(runner, *TEXTS * 10))
        await asyncio.sleep(0)
        await embed(runner, TEXTS[0])
        assert not many.done()
        await many

    runner.run(test)
