"""A text with an adapter is never continued from keys and values that were computed with another: the real engine."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from benchmarks.adapters.lora_file import Lora
from slots.options import EngineOptions
from slots.requests.adapters import NO_ADAPTERS, AdapterSet
from slots.requests.scope import CacheScope
from tests.slots.adapters.conftest import ONE, STORY, TWO
from tests.slots.engine_runner import (
    WITH_RUNNER_UP,
    Completion,
    EngineRunner,
    MakeRunner,
    assert_same_text,
)

SETS = {
    "none": NO_ADAPTERS,
    "one": ONE,
    "two": TWO,
    "scaled": AdapterSet.of({0: 0.5}),
    "both": AdapterSet.of({0: 1.0, 1: 1.0}),
}


async def tell(runner: EngineRunner, adapters: AdapterSet, text: str = STORY, **options: Any) -> Completion:
    return await runner.complete(text, WITH_RUNNER_UP, adapters=adapters, n_predict=12, **options)


def n_cached(completion: Completion) -> int:
    return completion.finished.timings.cached_n


def test_a_slot_is_not_continued_with_other_adapters(lora_runner: EngineRunner) -> None:
    async def test() -> None:
        fresh = {name: await tell(lora_runner, adapters, cache_prompt=False) for name, adapters in SETS.items()}
        assert len({each.text for each in fresh.values()}) == len(SETS)
        for name, adapters in SETS.items():
            await lora_runner.engine.erase_slot(0)
            await tell(lora_runner, adapters, slot_id=0)
            for other, others in SETS.items():
                again = await tell(lora_runner, others, slot_id=0)
                assert_same_text(again, fresh[other])
                if other == name:
                    break

    lora_runner.run(test)


def test_the_same_adapters_continue_what_is_parked(lora_runner: EngineRunner) -> None:
    async def test() -> None:
        await tell(lora_runner, ONE, slot_id=0)
        assert n_cached(await tell(lora_runner, TWO, slot_id=0)) == 0  # so that the first one is parked
        n_tokens = len(lora_runner.prompt(STORY))
        assert n_cached(await tell(lora_runner, ONE, slot_id=0)) == n_tokens - 1
        assert n_cached(await tell(lora_runner, TWO, slot_id=1)) == n_tokens - 1
        assert n_cached(await tell(lora_runner, NO_ADAPTERS, slot_id=2)) == 0

    lora_runner.run(test)


def test_a_burst_shares_only_among_equal_adapters(lora_runner: EngineRunner) -> None:
    sets = [ONE, TWO, ONE, TWO]

    async def test() -> None:
        burst = await asyncio.gather(*(tell(lora_runner, adapters) for adapters in sets))
        n_tokens = len(lora_runner.prompt(STORY))
        assert [n_cached(each) for each in burst] == [0, 0, n_tokens - 1, n_tokens - 1]
        for adapters, completion in zip(sets, burst, strict=True):
            assert_same_text(completion, await tell(lora_runner, adapters, cache_prompt=False))

    lora_runner.run(test)


def test_a_system_prompt_is_computed_once_for_each_set(lora_runner: EngineRunner) -> None:
    async def test() -> None:
        n_public = len(lora_runner.prompt(STORY))
        for adapters, expected in ((ONE, 0), (ONE, n_public), (TWO, 0), (NO_ADAPTERS, 0), (TWO, n_public)):
            name = f" {len(adapters.scales)} {expected} people"
            scope = CacheScope(f"client {adapters} {expected}", n_public)
            assert n_cached(await tell(lora_runner, adapters, STORY + name, scope=scope)) == expected

    lora_runner.run(test)


def test_a_saved_slot_fits_only_the_adapters_it_was_computed_with(lora_runner: EngineRunner) -> None:
    async def test() -> None:
        engine = lora_runner.engine
        await tell(lora_runner, ONE, slot_id=0)
        saved = await engine.save_slot(0)
        assert saved.scope.adapters
        for slot_id in range(4):
            await engine.erase_slot(slot_id)
        await engine.restore_slot(2, saved)
        assert n_cached(await tell(lora_runner, TWO, slot_id=1)) == 0
        assert n_cached(await tell(lora_runner, ONE, slot_id=1)) == len(lora_runner.prompt(STORY)) - 1

    lora_runner.run(test)


def test_equal_files_have_equal_scopes_whatever_their_ids(
    make_runner: MakeRunner, lora_files: tuple[Path, Path], tmp_path: Path
) -> None:
    one, two = lora_files
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(one.read_bytes())
    runner = make_runner(EngineOptions(lora=((two, 1.0), (copy, 1.0), (one, 1.0)), lora_init_without_apply=True))

    async def test() -> None:
        await tell(runner, AdapterSet.of({1: 1.0}))
        assert n_cached(await tell(runner, AdapterSet.of({2: 1.0}))) > 0
        assert n_cached(await tell(runner, AdapterSet.of({0: 1.0}))) == 0

    runner.run(test)


@pytest.fixture(params=[True, False], ids=["unified", "streams"])
def activated(request: pytest.FixtureRequest, make_runner: MakeRunner, tmp_path: Path) -> EngineRunner:
    """An engine with an activated LoRA, 0, and the same weights as a plain one, 1. Keys and values are exact."""
    base = make_runner()
    tokens = base.engine.vocab.tokenize(" Now judge", add_special=False, parse_special=False)
    files = [Lora(3, invocation_tokens=tokens).write(tmp_path / "a.gguf"), Lora(3).write(tmp_path / "b.gguf")]
    options = EngineOptions(lora=tuple((file, 1.0) for file in files), lora_init_without_apply=True)
    return make_runner(options, kv_unified=request.param, n_ctx=4096, n_parallel=4, n_batch=32, n_ubatch=32)


def test_an_activated_adapter_shares_what_precedes_it_with_the_base_model(activated: EngineRunner) -> None:
    async def test() -> None:
        n_story = len(activated.prompt(STORY))
        await tell(activated, NO_ADAPTERS)
        judged = await tell(activated, ONE, STORY + " Now judge this:")
        assert n_cached(judged) == n_story
        fresh = await tell(activated, ONE, STORY + " Now judge this:", cache_prompt=False)
        assert_same_text(judged, fresh)
        plain = await tell(activated, TWO, STORY + " Now judge this:")
        assert n_cached(plain) == 0
        assert plain.text != judged.text
        again = await tell(activated, NO_ADAPTERS, STORY + " Now judge this:")
        assert n_cached(again) == n_story, "what the adapter has computed is not the base model's"

    activated.run(test)


def test_the_base_model_shares_what_an_activated_adapter_left_to_it(activated: EngineRunner) -> None:
    async def test() -> None:
        await tell(activated, ONE, STORY + " Now judge this:")
        told = await tell(activated, NO_ADAPTERS, STORY + " Then")
        assert n_cached(told) == len(activated.prompt(STORY))
        assert_same_text(told, await tell(activated, NO_ADAPTERS, STORY + " Then", cache_prompt=False))

    activated.run(test)


def test_the_last_invocation_counts(activated: EngineRunner) -> None:
    async def test() -> None:
        text = STORY + " Now judge this: no. Now judge that:"
        await tell(activated, NO_ADAPTERS, text)
        judged = await tell(activated, ONE, text)
        assert n_cached(judged) == len(activated.prompt(STORY + " Now judge this: no."))

    activated.run(test)


def test_without_an_invocation_the_text_is_the_base_models(activated: EngineRunner) -> None:
    async def test() -> None:
        base = await tell(activated, NO_ADAPTERS)
        told = await tell(activated, ONE)
        assert n_cached(told) == len(activated.prompt(STORY)) - 1
        assert told.text == base.text

    activated.run(test)
