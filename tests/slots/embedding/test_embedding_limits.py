"""What is refused: texts that are too long, too many or no texts, and completions without slots."""

from pathlib import Path

import pytest
from gguf import PoolingType

from models.source import BUNDLED_MODEL
from slots.embedding.request import MAX_OUTPUT_FLOATS, EmbeddingRequest
from slots.errors import InvalidRequest, NotSupported, PromptTooLong
from slots.options import EngineOptions
from slots.requests.request import CompletionRequest
from tests.slots.embedding.embedding_models import N_CTX_TRAIN, N_EMBD, write_encoder
from tests.slots.embedding.texts import SHORT_TEXTS, MakeEngine, embed
from tests.slots.engine_runner import GREEDY, EngineRunner
from tests.slots.llama.tiny_models import write_learned_positions


def test_more_tokens_than_an_answer_can_hold_are_refused_before_they_are_computed(make: MakeEngine) -> None:
    runner = make(options=EngineOptions(pooling="none"))
    n_texts = MAX_OUTPUT_FLOATS // 128 // 2048

    async def test() -> None:
        with pytest.raises(InvalidRequest, match=f"at most {MAX_OUTPUT_FLOATS // 128} tokens"):
            await embed(runner, *[(1,) * 2048] * n_texts, (1,))

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
