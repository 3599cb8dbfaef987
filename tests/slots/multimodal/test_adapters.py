"""LoRA adapters beside media: they change the text, and what one has computed is never taken for another."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from slots.options import EngineOptions
from slots.requests.adapters import NO_ADAPTERS, AdapterSet
from tests.slots.adapters.conftest import ONE, TWO, lora_files
from tests.slots.engine_runner import WITH_RUNNER_UP, Completion, assert_same_text
from tests.slots.multimodal.media_files import RED, png
from tests.slots.multimodal.media_runner import MediaRunner, media_runner
from tests.slots.multimodal.projectors import needs_tools

__all__ = ["lora_files"]
pytestmark = needs_tools

PIECES = ("Once upon a time there was a picture: ", png(RED), " Tell me about it.")
SETS = (NO_ADAPTERS, ONE, TWO)


@pytest.fixture(scope="module")
def runner(lora_files: tuple[Path, Path]) -> Iterator[MediaRunner]:
    options = EngineOptions(lora=tuple((file, 1.0) for file in lora_files), lora_init_without_apply=True)
    with media_runner("gemma3", options) as made:
        yield made


async def tell(runner: MediaRunner, adapters: AdapterSet, *, slot_id: int = -1, cached: bool = True) -> Completion:
    return await runner.complete(
        *PIECES, adapters=adapters, slot_id=slot_id, cache_prompt=cached, n_predict=8, sampling=WITH_RUNNER_UP
    )


def n_cached(completion: Completion) -> int:
    return completion.finished.timings.cached_n


def test_an_adapter_changes_what_is_said_of_a_picture(runner: MediaRunner) -> None:
    async def test() -> None:
        texts = {(await tell(runner, each, cached=False)).text for each in SETS}
        assert len(texts) == len(SETS)

    runner.runner.run(test)


def test_a_picture_computed_with_an_adapter_is_found_for_that_alone(runner: MediaRunner) -> None:
    async def test() -> None:
        alone = [await tell(runner, each, cached=False) for each in SETS]
        n_prompt = alone[0].finished.n_prompt_tokens
        for adapters, expected in zip(SETS, alone, strict=True):
            await runner.engine.erase_slot(0)
            first = await tell(runner, adapters, slot_id=0)
            again = await tell(runner, adapters, slot_id=1)
            assert n_cached(again) == n_prompt - 1
            assert_same_text(first, expected)
            assert_same_text(again, expected)

    runner.runner.run(test)


def test_slots_with_different_adapters_and_the_same_picture_do_not_mix(runner: MediaRunner) -> None:
    async def test() -> None:
        alone = [await tell(runner, each, cached=False) for each in SETS]
        for slot_id in range(4):
            await runner.engine.erase_slot(slot_id)
        together = await asyncio.gather(*(tell(runner, each) for each in SETS))
        for one, other in zip(together, alone, strict=True):
            assert_same_text(one, other)

    runner.runner.run(test)
