"""Each kind of projector: the engine's logits depend on the file, and equal those of libmtmd's own evaluation."""

from pathlib import Path

import pytest

from slots.errors import InvalidRequest, ModelLoadError
from slots.options import ContextOptions, EngineOptions, MediaOptions
from tests.slots.engine_runner import load_engine
from tests.slots.multimodal.libmtmd import evaluate
from tests.slots.multimodal.media_files import BLUE, GREEN, RED, png, wav
from tests.slots.multimodal.media_runner import MediaRunner, media_runner, top_logprobs
from tests.slots.multimodal.projectors import ALL_KINDS, AUDIO_KINDS, MROPE, model, needs_tools, projector

pytestmark = needs_tools

CONTEXT = ContextOptions(n_ctx=1024, n_parallel=1, n_threads=1, flash_attention="off")
BEFORE, AFTER = "Once upon a time", " there was a"


def files(kind: str) -> tuple[bytes, bytes]:
    return (wav(440), wav(2000)) if kind in AUDIO_KINDS else (png(RED), png(BLUE))


def assert_equal(runner: MediaRunner, kind: str, *pieces: str | bytes) -> dict[int, float]:
    """The log probabilities after a prompt are those of libmtmd's evaluation. Returns the largest."""
    found: dict[int, float] = {}

    async def test() -> None:
        found.update(top_logprobs(await runner.complete(*pieces, cache_prompt=False)))

    runner.runner.run(test)
    text = "".join("<__media__>" if isinstance(piece, bytes) else piece for piece in pieces)
    data = [piece for piece in pieces if isinstance(piece, bytes)]
    expected = evaluate(model(kind), projector(kind), text, data, CONTEXT)
    assert found == {token: pytest.approx(expected[token], abs=1e-4) for token in found}
    assert max(found.values()) == pytest.approx(expected.max(), abs=1e-4)
    return found


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_logits_depend_on_the_file_and_equal_those_of_libmtmd(kind: str) -> None:
    one, other = files(kind)
    with media_runner(kind, n_ctx=1024, n_parallel=1) as runner:
        first = assert_equal(runner, kind, BEFORE, one, AFTER)
        second = assert_equal(runner, kind, BEFORE, other, AFTER)
    assert first != {token: pytest.approx(second.get(token), abs=1e-3) for token in first}


@pytest.mark.parametrize("kind", ["janus_pro", "gemma3", MROPE])
def test_several_pictures_in_one_prompt(kind: str) -> None:
    with media_runner(kind, n_ctx=1024, n_parallel=1) as runner:
        assert_equal(runner, kind, BEFORE, png(RED), png(GREEN), " and", png(RED), AFTER)


def test_a_picture_and_a_sound_in_one_prompt() -> None:
    kind = "gemma4uv+gemma4ua"
    with media_runner(kind, n_ctx=1024, n_parallel=1) as runner:
        assert_equal(runner, kind, BEFORE, png(RED), " and", wav(440), AFTER)


def test_the_size_of_a_picture_decides_how_many_tokens_it_is() -> None:
    kind = "gemma4uv"
    with media_runner(kind, n_ctx=1024, n_parallel=1) as runner:
        assert_equal(runner, kind, BEFORE, png(RED, 40, 300), AFTER)


@pytest.mark.parametrize("kind", ["janus_pro", "gemma4uv", MROPE, "ultravox"])
def test_a_prompt_may_end_with_media(kind: str) -> None:
    """What follows is the same as when the next token is a part of the prompt."""
    one, _ = files(kind)
    with media_runner(kind, n_ctx=1024, n_parallel=1) as runner:

        async def test() -> None:
            ended = await runner.complete(BEFORE, one, n_predict=4, cache_prompt=False)
            again = await runner.complete(BEFORE, one, n_predict=4)
            assert ended.token_ids == again.token_ids
            longer = await runner.complete(BEFORE, one, ended.token_ids[:1], n_predict=3, cache_prompt=False)
            assert longer.token_ids == ended.token_ids[1:]

        runner.runner.run(test)


def test_a_picture_that_has_to_be_seen_at_once_fits_into_an_ubatch_or_is_refused() -> None:
    with media_runner("gemma4uv", n_ctx=1024, n_parallel=1, n_ubatch=64, n_batch=64) as runner:

        async def test() -> None:
            with pytest.raises(InvalidRequest, match=r"^file: expected one of at most 64 tokens .* got 80$"):
                await runner.load(png(RED))

        runner.runner.run(test)


def test_the_most_tokens_of_a_picture_can_be_limited() -> None:
    with media_runner(
        "gemma4uv", min_tokens=16, max_tokens=40, n_ctx=1024, n_parallel=1, n_ubatch=64, n_batch=64
    ) as runner:

        async def test() -> None:
            assert len((await runner.load(png(RED))).chunks[0].tokens) <= 40
            assert (await runner.complete(BEFORE, png(RED), AFTER)).token_ids

        runner.runner.run(test)


def test_another_models_projector_is_refused() -> None:
    options = EngineOptions(media=MediaOptions(model("janus_pro")))
    with pytest.raises(ModelLoadError, match="is no projector"):
        load_engine(CONTEXT, options)


def test_a_projector_that_looks_for_tokens_that_are_not_there_takes_no_pictures() -> None:
    options = EngineOptions(media=MediaOptions(projector("idefics3"), n_threads=1))
    engine = load_engine(CONTEXT, options)
    assert engine.media
    with pytest.raises(InvalidRequest, match="the model's vocabulary lacks a token"):
        engine.media.load("file", png(RED))
    engine.stop()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"none\.gguf"):
        load_engine(CONTEXT, EngineOptions(media=MediaOptions(tmp_path / "none.gguf")))
