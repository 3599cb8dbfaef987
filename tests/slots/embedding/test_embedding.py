"""Embeddings from the real engine, beside completions and alone."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from gguf import PoolingType

from models.source import BUNDLED_MODEL
from slots.embedding.pooling import Embedding
from slots.embedding.request import MAX_OUTPUT_FLOATS, EmbeddingRequest
from slots.engine import Engine
from slots.errors import (
    InvalidRequest,
    ModelLoadError,
    NotSupported,
    PromptTooLong,
    QueueFull,
    ShuttingDown,
    StepFailed,
)
from slots.llama import DecodeError, EmbeddingContext
from slots.options import ContextOptions, EngineOptions, ModelOptions, Pooling
from slots.requests.request import CompletionRequest
from tests.slots.embedding.embedding_models import N_CTX_TRAIN, N_EMBD, write_encoder
from tests.slots.embedding.llama_pooling import llama_embedding
from tests.slots.engine_runner import GREEDY, EngineRunner, load_engine, read
from tests.slots.llama.odd_models import (
    write_hybrid,
    write_learned_positions,
    write_mamba,
    write_one_layer,
    write_ranking_decoder,
    write_sliding_window,
)

TEXTS = tuple(
    tuple((17 * n + start) % 3000 for n in range(length)) for start, length in enumerate((3, 40, 130, 9, 300))
)
SHORT_TEXTS = tuple(
    tuple((7 * n + start) % 60 + 5 for n in range(length)) for start, length in enumerate((3, 9, 60, 96))
)

EXACT = {"cache_type_k": "f32", "cache_type_v": "f32"}
"""Keys and values that are not rounded."""

MakeEngine = Callable[..., EngineRunner]


@pytest.fixture
def make() -> Iterator[MakeEngine]:
    """Starts engines on the model at a path, without flash attention, which rounds by the shape of a batch."""
    runners: list[EngineRunner] = []

    def make(path: Path = BUNDLED_MODEL, options: EngineOptions | None = None, **context: Any) -> EngineRunner:
        chosen = ContextOptions(**{"n_threads": 1, "flash_attention": "off", **context})
        engine = Engine.load(ModelOptions(path), chosen, options or EngineOptions(), lambda _share: None)
        runners.append(EngineRunner(engine))
        return runners[-1]

    yield make
    for runner in runners:
        runner.close()


@pytest.fixture(scope="session")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_one_layer(tmp_path_factory.mktemp("models") / "decoder.gguf")


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("models") / "encoder.gguf")


@pytest.fixture(scope="session")
def ranker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("models") / "ranker.gguf", PoolingType.RANK, ranks=True)


async def embed(runner: EngineRunner, *texts: tuple[int, ...]) -> list[Embedding]:
    return await runner.engine.embed(EmbeddingRequest(texts))


def assert_close(one: Embedding, other: Embedding, tolerance: float = 1e-4) -> None:
    assert one.shape == other.shape
    assert one.dtype == other.dtype == np.float32
    assert np.abs(one - other).max() <= tolerance * np.abs(other).max()


def assert_alike(one: Embedding, other: Embedding) -> None:
    """Of the bundled model: its numbers are packed, which makes more of each rounding."""
    cosine = float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
    assert cosine == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_a_text_is_embedded_as_llama_cpp_does_it(make: MakeEngine, decoder: Path, pooling: Pooling) -> None:
    runner = make(decoder, EngineOptions(pooling=pooling), n_ubatch=64, **EXACT)

    async def test() -> None:
        for text, embedding in zip(TEXTS, await embed(runner, *TEXTS), strict=True):
            assert_close(embedding, llama_embedding(runner.engine.model, pooling, text), 1e-2)

    runner.run(test)


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_an_encoder_embeds_as_llama_cpp_does_it(make: MakeEngine, encoder: Path, pooling: Pooling) -> None:
    runner = make(encoder, EngineOptions(pooling=pooling))

    async def test() -> None:
        for text, embedding in zip(SHORT_TEXTS, await embed(runner, *SHORT_TEXTS), strict=True):
            assert_close(embedding, llama_embedding(runner.engine.model, pooling, text))

    runner.run(test)


def test_a_ranker_scores_as_llama_cpp_does_it(make: MakeEngine, ranker: Path) -> None:
    runner = make(ranker)

    async def test() -> None:
        scores = await embed(runner, *SHORT_TEXTS)
        assert len({float(score[0]) for score in scores}) == len(SHORT_TEXTS)
        for text, score in zip(SHORT_TEXTS, scores, strict=True):
            assert_close(score, llama_embedding(runner.engine.model, "rank", text))

    runner.run(test)


def test_a_model_that_reads_bit_by_bit_ranks_in_chunks(make: MakeEngine, tmp_path: Path) -> None:
    runner = make(write_ranking_decoder(tmp_path / "model.gguf"), EngineOptions(pooling="rank"), n_ubatch=64)

    async def test() -> None:
        scores = await embed(runner, *TEXTS)
        assert len({float(score[0]) for score in scores}) == len(TEXTS)
        for text, score in zip(TEXTS, scores, strict=True):
            assert_close(score, llama_embedding(runner.engine.model, "rank", text), 1e-2)

    runner.run(test)


@pytest.mark.parametrize("write", [write_mamba, write_sliding_window, write_hybrid])
def test_a_model_with_another_memory_embeds_the_same_alone_and_with_others(
    make: MakeEngine, tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    runner = make(write(tmp_path / "model.gguf"), n_ubatch=64, n_ctx=2048)

    async def test() -> None:
        together = await embed(runner, *TEXTS)
        for text, embedding in zip(TEXTS, together, strict=True):
            assert_close((await embed(runner, text))[0], embedding, 1e-2)
            assert_close(embedding, llama_embedding(runner.engine.model, "mean", text), 1e-2)

    runner.run(test)


def test_a_text_is_embedded_the_same_alone_with_others_and_in_chunks(make: MakeEngine, decoder: Path) -> None:
    at_once, in_chunks = make(decoder, n_ubatch=512, **EXACT), make(decoder, n_ubatch=32, **EXACT)
    expected: list[Embedding] = []

    async def test() -> None:
        for text in TEXTS:
            expected.extend(await embed(at_once, text))
        for one, other in zip(await embed(at_once, *TEXTS), expected, strict=True):
            assert_close(one, other)

    async def test_chunks() -> None:
        for text, one, other in zip(TEXTS, await embed(in_chunks, *TEXTS), expected, strict=True):
            assert_close(one, other)
            assert_close((await embed(in_chunks, text))[0], other)

    at_once.run(test)
    in_chunks.run(test_chunks)


def test_without_pooling_each_token_has_an_embedding_whose_mean_is_that_of_the_text(make: MakeEngine) -> None:
    each, mean = make(options=EngineOptions(pooling="none"), n_ubatch=64), make(n_ubatch=64)
    of_tokens: list[Embedding] = []

    async def test() -> None:
        of_tokens.extend(await embed(each, *TEXTS))

    async def test_mean() -> None:
        for text, tokens, embedding in zip(TEXTS, of_tokens, await embed(mean, *TEXTS), strict=True):
            assert tokens.shape == (len(text), 128)
            assert_close(tokens.mean(axis=0), embedding)

    each.run(test)
    mean.run(test_mean)


def test_more_tokens_than_an_answer_can_hold_are_refused_before_they_are_computed(make: MakeEngine) -> None:
    runner = make(options=EngineOptions(pooling="none"))
    n_texts = MAX_OUTPUT_FLOATS // 128 // 2048

    async def test() -> None:
        with pytest.raises(InvalidRequest, match=f"at most {MAX_OUTPUT_FLOATS // 128} tokens"):
            await embed(runner, *[(1,) * 2048] * n_texts, (1,))

    runner.run(test)


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
    was_told = threading.Event()
    compute = EmbeddingContext.compute

    def wait(context: EmbeddingContext) -> Embedding:
        assert was_told.wait(timeout=30)
        return compute(context)

    async def test() -> None:
        stream = engine.submit(CompletionRequest((7,), GREEDY, n_predict=1))
        embedding = asyncio.ensure_future(engine.embed(EmbeddingRequest(TEXTS)))
        await asyncio.sleep(0)
        with patch.object(EmbeddingContext, "compute", wait):
            engine.start(asyncio.get_running_loop())
            await read(stream)
            was_told.set()
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


def test_the_context_for_embeddings_is_made_for_the_first_text(make: MakeEngine) -> None:
    made: list[EmbeddingContext] = []
    original = EmbeddingContext.__init__

    def count(self: EmbeddingContext, *arguments: Any, **options: Any) -> None:
        made.append(self)
        original(self, *arguments, **options)

    with patch.object(EmbeddingContext, "__init__", count):
        runner = make()

        async def test() -> None:
            await runner.complete("Once", n_predict=2)
            assert made == []
            await embed(runner, *TEXTS)
            await embed(runner, *TEXTS)
            assert len(made) == 1

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


def test_a_text_may_fill_the_limit_but_not_exceed_it(make: MakeEngine) -> None:
    runner = make(n_ctx=512, n_parallel=2)

    async def test() -> None:
        limit = runner.engine.max_embedding_tokens
        assert limit == runner.engine.n_ctx_slot == 256
        await embed(runner, (1,) * limit)
        with pytest.raises(PromptTooLong, match=r"input\[1\]: has 257 tokens.* 256 tokens"):
            await embed(runner, (1,), (1,) * (limit + 1))

    runner.run(test)


def test_an_encoder_takes_as_many_tokens_as_it_was_trained_with(make: MakeEngine, encoder: Path) -> None:
    runner = make(encoder, n_ctx=4096)

    async def test() -> None:
        assert (await embed(runner, (7,) * N_CTX_TRAIN))[0].shape == (N_EMBD,)
        with pytest.raises(PromptTooLong, match=f"has {N_CTX_TRAIN + 1} tokens.* {N_CTX_TRAIN} tokens"):
            await embed(runner, (7,) * (N_CTX_TRAIN + 1))

    runner.run(test)


@pytest.mark.parametrize("embeddings_only", [False, True])
def test_no_text_goes_beyond_a_table_of_positions(make: MakeEngine, tmp_path: Path, embeddings_only: bool) -> None:
    n_positions = 300
    path = write_learned_positions(tmp_path / "model.gguf", n_positions)
    runner = make(path, EngineOptions(embeddings_only=embeddings_only), n_ctx=1024, n_parallel=1)

    async def test() -> None:
        assert runner.engine.n_ctx_slot == runner.engine.max_embedding_tokens == n_positions
        assert len(await embed(runner, (7,) * n_positions)) == 1
        with pytest.raises(PromptTooLong):
            await embed(runner, (7,) * (n_positions + 1))
        if not embeddings_only:
            assert (await runner.complete("Once", GREEDY, n_predict=-1)).finished.timings.predicted_n <= n_positions

    runner.run(test)


@pytest.mark.parametrize("texts", [(), ((),), ((1,), ())])
def test_texts_without_tokens_are_refused(texts: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(InvalidRequest, match="expected at least one t"):
        EmbeddingRequest(texts)


@pytest.mark.parametrize("token", [-1, 3072])
def test_tokens_that_there_are_not_are_refused(runner: EngineRunner, token: int) -> None:
    async def test() -> None:
        with pytest.raises(InvalidRequest, match="input: expected token ids"):
            await embed(runner, (1,), (1, token))

    runner.run(test)


@pytest.mark.parametrize("kind", ["encoder", "only", "ranker"])
def test_an_engine_for_embeddings_only_has_no_slots_and_says_so(
    make: MakeEngine, encoder: Path, ranker: Path, kind: str
) -> None:
    paths = {"encoder": encoder, "only": BUNDLED_MODEL, "ranker": ranker}
    runner = make(paths[kind], EngineOptions(embeddings_only=kind == "only"))
    assert (runner.engine.n_slots, runner.engine.slot_statuses()) == (0, [])
    with pytest.raises(NotSupported, match="ranks documents" if kind == "ranker" else "computes embeddings"):
        runner.engine.submit(CompletionRequest((7,)))

    async def test() -> None:
        with pytest.raises(NotSupported):
            await runner.engine.erase_slot(0)
        assert len(await embed(runner, *SHORT_TEXTS)) == len(SHORT_TEXTS)

    runner.run(test)


def test_pooling_is_what_is_asked_for_else_what_the_header_says_else_the_mean(make: MakeEngine, tmp_path: Path) -> None:
    path = write_encoder(tmp_path / "cls.gguf", PoolingType.CLS)
    assert make().engine.pooling == "mean"
    assert make(path).engine.pooling == "cls"
    assert make(path, EngineOptions(pooling="last")).engine.pooling == "last"


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
