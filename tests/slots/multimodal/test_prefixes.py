"""Prefixes with media: found by content, in the slot, in other slots, in a burst, parked and saved."""

import asyncio
from typing import Any

import pytest

from slots.options import EngineOptions
from tests.slots.engine_runner import Completion, read
from tests.slots.multimodal.media_files import BLUE, GREEN, RED, png
from tests.slots.multimodal.media_runner import MediaRunner, media_runner
from tests.slots.multimodal.projectors import MROPE, needs_tools

pytestmark = needs_tools

KINDS = ("janus_pro", "gemma3", MROPE)
"""Causal, not causal, and with fewer positions than cells."""
STORY = "Once upon a time there was a picture in a house by the sea, and everybody liked to look at it: "
QUESTION = " What was in it, and who had drawn it, when nobody else was there?"
N_PREDICT = 6


def n_cached(completion: Completion) -> int:
    return completion.finished.timings.cached_n


async def fresh(runner: MediaRunner, *pieces: Any) -> list[int]:
    """Returns what the prompt is continued with if nothing is taken from a cache."""
    return (await runner.complete(*pieces, cache_prompt=False, n_predict=N_PREDICT)).token_ids


@pytest.fixture(scope="module", params=KINDS)
def runner(request: pytest.FixtureRequest) -> Any:
    with media_runner(request.param) as made:
        yield made


def n_prompt(completion: Completion) -> int:
    return completion.finished.n_prompt_tokens


@pytest.mark.parametrize("other_slot", [False, True])
def test_the_same_picture_is_not_computed_again(runner: MediaRunner, other_slot: bool) -> None:
    async def test() -> None:
        pieces = (STORY, png(RED), QUESTION)
        first = await runner.complete(*pieces, n_predict=N_PREDICT, slot_id=0)
        again = await runner.complete(*pieces, n_predict=N_PREDICT, slot_id=1 if other_slot else 0)
        assert n_cached(again) == n_prompt(again) - 1
        assert again.token_ids == first.token_ids == await fresh(runner, *pieces)

    runner.runner.run(test)


def test_another_picture_never_matches(runner: MediaRunner) -> None:
    async def test() -> None:
        first = await runner.complete(STORY, png(RED), QUESTION, slot_id=2)
        other = await runner.complete(STORY, png(GREEN), QUESTION, n_predict=N_PREDICT, slot_id=2)
        media = await runner.load(png(GREEN))
        n_text = len(runner.engine.vocab.tokenize(STORY, add_special=False, parse_special=True))
        assert n_cached(other) < n_text + len(media.tokens)
        assert n_prompt(first) == n_prompt(other)
        assert other.token_ids == await fresh(runner, STORY, png(GREEN), QUESTION)

    runner.runner.run(test)


def test_a_picture_in_another_place_is_computed(runner: MediaRunner) -> None:
    async def test() -> None:
        await runner.complete(STORY, png(BLUE), QUESTION)
        moved = await runner.complete(f"Well. {STORY}", png(BLUE), QUESTION, n_predict=N_PREDICT)
        assert n_cached(moved) < 5
        assert moved.token_ids == await fresh(runner, f"Well. {STORY}", png(BLUE), QUESTION)

    runner.runner.run(test)


def test_a_conversation_goes_on_behind_its_picture(runner: MediaRunner) -> None:
    async def test() -> None:
        first = await runner.complete(STORY, png(RED), QUESTION, n_predict=N_PREDICT)
        longer = (STORY, png(RED), QUESTION, first.token_ids, " And then?", png(BLUE), " Who?")
        second = await runner.complete(*longer, n_predict=N_PREDICT)
        assert n_cached(second) >= n_prompt(first) + N_PREDICT - 1
        assert second.token_ids == await fresh(runner, *longer)

    runner.runner.run(test)


def test_two_pictures_one_after_the_other_part_where_the_second_differs(runner: MediaRunner) -> None:
    async def test() -> None:
        await runner.complete(STORY, png(RED), png(BLUE), QUESTION)
        other = await runner.complete(STORY, png(RED), png(GREEN), QUESTION, n_predict=N_PREDICT)
        media = await runner.load(png(RED))
        assert n_cached(other) >= len(media.tokens)
        assert other.token_ids == await fresh(runner, STORY, png(RED), png(GREEN), QUESTION)

    runner.runner.run(test)


def test_a_prompt_that_ends_with_the_picture_is_found(runner: MediaRunner) -> None:
    async def test() -> None:
        expected = await fresh(runner, STORY, png(RED))
        await runner.complete(STORY, png(RED), QUESTION)
        again = await runner.complete(STORY, png(RED), n_predict=N_PREDICT)
        assert n_cached(again) > 0
        assert again.token_ids == expected

    runner.runner.run(test)


@pytest.mark.parametrize("kv_unified", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_burst_computes_the_common_picture_once(kind: str, kv_unified: bool) -> None:
    with media_runner(kind, kv_unified=kv_unified) as runner:

        async def test() -> None:
            prompts = [(STORY, png(RED), QUESTION, f" {name}") for name in ("Anna", "Ben", "Clara", "Dan")]
            streams = [await runner.submit(prompt, n_predict=N_PREDICT) for prompt in prompts]
            done = await asyncio.gather(*map(read, streams))
            n_computed = sum(completion.finished.timings.prompt_n for completion in done)
            assert n_computed < 2 * n_prompt(done[0])
            for prompt, completion in zip(prompts, done, strict=True):
                assert completion.token_ids == await fresh(runner, *prompt)

        runner.runner.run(test)


@pytest.mark.parametrize("kind", KINDS)
def test_a_parked_picture_is_restored(kind: str) -> None:
    with media_runner(kind, EngineOptions(cache_ram_mib=64), n_parallel=1) as runner:

        async def test() -> None:
            pieces = (STORY, png(RED), QUESTION)
            first = await runner.complete(*pieces, n_predict=N_PREDICT)
            await runner.complete(QUESTION * 4)
            again = await runner.complete(*pieces, n_predict=N_PREDICT)
            assert n_cached(again) == n_prompt(again) - 1
            assert again.token_ids == first.token_ids

        runner.runner.run(test)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_picture_is_restored(kind: str) -> None:
    with media_runner(kind) as runner:

        async def test() -> None:
            pieces = (STORY, png(RED), QUESTION)
            first = await runner.complete(*pieces, n_predict=N_PREDICT, slot_id=0)
            saved = await runner.engine.save_slot(0)
            await runner.engine.erase_slot(0)
            await runner.engine.restore_slot(1, saved)
            again = await runner.complete(*pieces, n_predict=N_PREDICT, slot_id=1)
            assert n_cached(again) == n_prompt(again) - 1
            assert again.token_ids == first.token_ids

        runner.runner.run(test)


def test_the_second_turn_about_a_picture_encodes_nothing(runner: MediaRunner) -> None:
    assert runner.engine.media
    encoded: list[object] = []
    encode = runner.engine.media.projector.encode
    runner.engine.media.projector.encode = lambda chunk: encoded.append(chunk) or encode(chunk)  # type: ignore

    async def test() -> None:
        for colour in ((1, 2, 3), (1, 2, 3), (3, 2, 1)):
            await runner.complete(STORY, png(colour), QUESTION)
        assert len(encoded) == 2

    runner.runner.run(test)
