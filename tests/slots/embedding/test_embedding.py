"""Embeddings and scores are those that llama.cpp itself computes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from slots.embedding.pooling import Embedding
from slots.options import EngineOptions, Pooling
from tests.slots.embedding.llama_pooling import llama_embedding
from tests.slots.embedding.texts import EXACT, SHORT_TEXTS, TEXTS, MakeEngine, assert_close, embed
from tests.slots.llama.tiny_models import write_hybrid, write_mamba, write_ranking_decoder, write_sliding_window


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
