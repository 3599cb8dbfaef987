"""Adapters in the running engine: side by side, drafts, and loading meanwhile."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.adapters.lora_file import Lora
from slots.errors import AdapterNotFound, InvalidRequest, ModelLoadError, ShuttingDown
from slots.options import ContextOptions, EngineOptions, SpeculationOptions
from slots.requests.adapters import NO_ADAPTERS, AdapterSet
from slots.requests.request import CompletionRequest
from tests.slots.adapters.conftest import ONE, STORY, TWO
from tests.slots.engine_runner import (
    WITH_RUNNER_UP,
    Completion,
    EngineRunner,
    MakeRunner,
    assert_same_text,
    load_engine,
)


def test_slots_with_different_adapters_generate_the_texts_that_they_generate_alone(lora_runner: EngineRunner) -> None:
    sets = [ONE, TWO, NO_ADAPTERS, ONE]

    async def test() -> None:
        alone = [
            await lora_runner.complete(STORY, WITH_RUNNER_UP, adapters=each, n_predict=40, cache_prompt=False)
            for each in sets
        ]
        together = await asyncio.gather(
            *(lora_runner.complete(STORY, WITH_RUNNER_UP, adapters=each, n_predict=40) for each in sets)
        )
        for one, other in zip(alone, together, strict=True):
            assert_same_text(one, other)

    lora_runner.run(test)


def test_a_prompt_with_an_adapter_does_not_wait_for_the_texts_of_another(lora_runner: EngineRunner) -> None:
    async def test() -> None:
        long = [
            asyncio.ensure_future(lora_runner.complete(STORY, WITH_RUNNER_UP, adapters=ONE, n_predict=400))
            for _ in range(3)
        ]
        await asyncio.sleep(0.05)
        await lora_runner.complete(STORY, WITH_RUNNER_UP, adapters=TWO, n_predict=10)
        assert not any(each.done() for each in long)
        await asyncio.gather(*long)

    lora_runner.run(test)


NGRAMS, MODEL = SpeculationOptions(spec_types=("ngram",)), SpeculationOptions(spec_types=("draft-simple",))


@pytest.mark.parametrize("speculation", [NGRAMS, MODEL], ids=["ngram", "draft-simple"])
def test_drafts_are_verified_with_the_adapters(
    make_runner: MakeRunner, lora_files: tuple[Path, Path], float_model: Path, speculation: SpeculationOptions
) -> None:
    files = tuple((file, 1.0) for file in lora_files)
    drafts = replace(speculation, draft_file=float_model if speculation is MODEL else None)
    plain = make_runner(EngineOptions(lora=files), n_parallel=2)
    drafting = make_runner(EngineOptions(lora=files, speculation=drafts), n_parallel=2)
    rhyme = "one two three one two three one two three one two"

    async def tell(runner: EngineRunner) -> None:
        for adapters in (ONE, TWO, NO_ADAPTERS):
            texts.append(await runner.complete(rhyme, WITH_RUNNER_UP, adapters=adapters, n_predict=40))

    texts: list[Completion] = []
    plain.run(lambda: tell(plain))
    drafting.run(lambda: tell(drafting))
    for one, other in zip(texts[:3], texts[3:], strict=True):
        assert_same_text(one, other)


def test_an_adapter_is_loaded_and_unloaded_while_others_generate(make_runner: MakeRunner, tmp_path: Path) -> None:
    runner = make_runner()
    file = Lora(7).write(tmp_path / "late.gguf")

    async def test() -> None:
        engine = runner.engine
        others = asyncio.ensure_future(runner.complete(STORY, WITH_RUNNER_UP, n_predict=300))
        await asyncio.sleep(0.02)
        adapter = await engine.load_adapter("late", file, scale=0.5)
        assert (adapter.name, adapter.scale, engine.adapters.loaded) == ("late", 0.5, [adapter])
        chosen = AdapterSet.of({adapter.number: adapter.scale})
        told = await runner.complete(STORY, WITH_RUNNER_UP, adapters=chosen, n_predict=10)
        assert told.text != (await runner.complete(STORY, WITH_RUNNER_UP, n_predict=10)).text
        running = asyncio.ensure_future(runner.complete(STORY, WITH_RUNNER_UP, adapters=chosen, n_predict=100))
        await asyncio.sleep(0)
        unloading = asyncio.ensure_future(engine.unload_adapter("late"))
        await asyncio.sleep(0)
        with pytest.raises(InvalidRequest, match=r"lora\[0\].id: expected none"):
            await runner.complete(STORY, adapters=chosen)
        await unloading
        assert running.done()
        assert engine.adapters.all == []
        with pytest.raises(AdapterNotFound, match="was unloaded"):
            await engine.unload_adapter("late")
        await others

    runner.run(test)


def test_a_cancelled_request_gives_its_adapter_free(make_runner: MakeRunner, tmp_path: Path) -> None:
    runner = make_runner()

    async def test() -> None:
        adapter = await runner.engine.load_adapter("late", Lora(7).write(tmp_path / "late.gguf"))
        chosen = AdapterSet.of({adapter.number: 1.0})
        stream = runner.engine.submit(CompletionRequest(runner.prompt(STORY), WITH_RUNNER_UP, adapters=chosen))
        await anext(stream)
        unloading = asyncio.ensure_future(runner.engine.unload_adapter("late"))
        await asyncio.sleep(0.02)
        assert not unloading.done()
        stream.cancel()
        await unloading

    runner.run(test)


def test_the_names_of_two_files_differ(make_runner: MakeRunner, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    files = [Lora(1).write(tmp_path / "a.gguf"), Lora(2).write(tmp_path / "other" / "a.gguf")]
    runner = make_runner(EngineOptions(lora=tuple((file, 1.0) for file in files)))
    assert [adapter.name for adapter in runner.engine.adapters.loaded] == ["a", "a-2"]
    assert runner.engine.adapters.global_set == AdapterSet.of({0: 1.0, 1: 1.0})


def test_a_broken_file_ends_the_start(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(Lora().write(tmp_path / "whole.gguf").read_bytes()[:5000])
    with pytest.raises(ModelLoadError, match=r"broken\.gguf is truncated"):
        load_engine(ContextOptions(n_ctx=256), EngineOptions(lora=((broken, 1.0),)))


def test_two_activated_adapters_cannot_apply_together(tmp_path: Path) -> None:
    files = [Lora(seed, invocation_tokens=[seed, 5]).write(tmp_path / f"{seed}.gguf") for seed in (1, 2)]
    options = EngineOptions(lora=tuple((file, 1.0) for file in files))
    with pytest.raises(ModelLoadError, match="expected no other adapter beside an activated LoRA"):
        load_engine(ContextOptions(n_ctx=256), options)


def test_an_engine_that_stops_fails_who_waits_for_an_adapter(make_runner: MakeRunner, tmp_path: Path) -> None:
    runner = make_runner()

    async def test() -> None:
        adapter = await runner.engine.load_adapter("late", Lora(7).write(tmp_path / "late.gguf"))
        chosen = AdapterSet.of({adapter.number: 1.0})
        stream = runner.engine.submit(CompletionRequest(runner.prompt(STORY), WITH_RUNNER_UP, adapters=chosen))
        await anext(stream)
        unloading = asyncio.ensure_future(runner.engine.unload_adapter("late"))
        await asyncio.sleep(0)
        await asyncio.to_thread(runner.engine.stop)
        with pytest.raises(ShuttingDown):
            await unloading

    runner.run(test)
