import asyncio
from dataclasses import replace

import numpy as np
import pytest

from slots.errors import InvalidRequest, ShuttingDown
from slots.requests.request import CompletionRequest
from slots.requests.scope import CacheScope
from tests.slots.engine_runner import WITH_RUNNER_UP, EngineRunner, MakeRunner, assert_same_text, read

PROMPT = "Once upon a time there was a little dog who liked to play with a red ball in the garden all day."


def make_request(runner: EngineRunner, **options: object) -> CompletionRequest:
    return CompletionRequest(runner.prompt(PROMPT), WITH_RUNNER_UP, **{"n_predict": 20, **options})


@pytest.mark.parametrize("kv_unified", [True, False])
def test_a_restored_slot_goes_on_where_it_was(make_runner: MakeRunner, kv_unified: bool) -> None:
    runner = make_runner(kv_unified=kv_unified, n_ctx=1024)

    async def test() -> None:
        engine = runner.engine
        first = await read(engine.submit(make_request(runner, slot_id=0)))
        so_far = (*runner.prompt(PROMPT), *first.token_ids)
        on = CompletionRequest(so_far, WITH_RUNNER_UP, n_predict=20)
        straight_on = await read(engine.submit(on))
        await engine.erase_slot(0)
        await engine.erase_slot(straight_on.finished.slot_id)
        await read(engine.submit(make_request(runner, slot_id=0)))
        saved = await engine.save_slot(0)
        for slot_id in range(engine.n_slots):
            await engine.erase_slot(slot_id)
        await engine.restore_slot(2, saved)
        restored = await read(engine.submit(on.replace(slot_id=2)))
        assert restored.finished.timings.cached_n == len(so_far) - 1
        assert_same_text(straight_on, restored)

    runner.run(test)


def test_a_restored_slot_belongs_to_whom_it_was_saved_for(runner: EngineRunner) -> None:
    async def test() -> None:
        engine = runner.engine
        await read(engine.submit(make_request(runner, slot_id=0, scope=CacheScope("mine"))))
        saved = await engine.save_slot(0)
        await engine.erase_slot(0)
        await engine.restore_slot(1, saved)
        others = await read(engine.submit(make_request(runner, scope=CacheScope("yours"), slot_id=2)))
        assert others.finished.timings.cached_n == 0
        mine = await read(engine.submit(make_request(runner, scope=CacheScope("mine"), slot_id=1)))
        assert mine.finished.timings.prompt_n == 1

    runner.run(test)


def test_erasing_tells_how_many_tokens_are_gone(runner: EngineRunner) -> None:
    async def test() -> None:
        await runner.engine.erase_slot(0)
        await read(runner.engine.submit(make_request(runner, slot_id=0, n_predict=1)))
        assert await runner.engine.erase_slot(0) == len(runner.prompt(PROMPT))
        assert await runner.engine.erase_slot(0) == 0

    runner.run(test)


def test_a_busy_slot_is_waited_for(runner: EngineRunner) -> None:
    async def test() -> None:
        stream = runner.engine.submit(make_request(runner, slot_id=1, n_predict=60))
        await anext(stream)
        saved = await runner.engine.save_slot(1)
        assert len(saved.tokens) == len(runner.prompt(PROMPT)) + 60 - 1
        await read(stream)

    runner.run(test)


def test_who_stops_waiting_for_a_slot_gets_nothing_done(runner: EngineRunner) -> None:
    async def test() -> None:
        stream = runner.engine.submit(make_request(runner, slot_id=1, n_predict=60))
        await anext(stream)
        erasing = asyncio.ensure_future(runner.engine.erase_slot(1))
        await asyncio.sleep(0)
        erasing.cancel()
        await read(stream)
        assert (await runner.engine.save_slot(1)).tokens

    runner.run(test)


def test_who_stopped_waiting_does_not_disturb_the_end(make_runner: MakeRunner) -> None:
    runner = make_runner()

    async def test() -> None:
        stream = runner.engine.submit(make_request(runner, slot_id=0, n_predict=100))
        await anext(stream)
        saving = asyncio.ensure_future(runner.engine.save_slot(0))
        await asyncio.sleep(0)
        saving.cancel()
        runner.engine.drain()
        assert (await read(stream)).finished.timings.predicted_n == 100

    runner.run(test)


def test_an_empty_slot_cannot_be_saved(runner: EngineRunner) -> None:
    async def test() -> None:
        await runner.engine.erase_slot(3)
        with pytest.raises(InvalidRequest, match="id_slot: expected a slot that holds something"):
            await runner.engine.save_slot(3)

    runner.run(test)


@pytest.mark.parametrize("slot_id", [-1, 99])
def test_a_slot_that_there_is_not_is_refused(runner: EngineRunner, slot_id: int) -> None:
    async def test() -> None:
        with pytest.raises(InvalidRequest, match="id_slot: expected a slot from 0 to 3"):
            await runner.engine.save_slot(slot_id)

    runner.run(test)


def test_what_llama_cpp_cannot_take_back_is_refused_and_the_slot_is_empty(runner: EngineRunner) -> None:
    async def test() -> None:
        await read(runner.engine.submit(make_request(runner, slot_id=0)))
        saved = await runner.engine.save_slot(0)
        damaged = replace(saved, snapshot=np.zeros(100, np.uint8))
        with pytest.raises(InvalidRequest, match="filename: "):
            await runner.engine.restore_slot(0, damaged)
        assert await runner.engine.erase_slot(0) == 0
        assert (await read(runner.engine.submit(make_request(runner, slot_id=0)))).text

    runner.run(test)


def test_more_than_a_slot_has_room_for_is_refused(make_runner: MakeRunner) -> None:
    large, small = make_runner(n_ctx=1024, n_parallel=2), make_runner(n_ctx=512, n_parallel=2)
    saved = []

    async def save() -> None:
        await read(large.engine.submit(make_request(large, slot_id=0, n_predict=300)))
        saved.append(await large.engine.save_slot(0))

    async def restore() -> None:
        with pytest.raises(InvalidRequest, match="filename: expected at most 256 tokens"):
            await small.engine.restore_slot(0, saved[0])

    large.run(save)
    small.run(restore)


def test_slots_of_engines_that_differ_do_not_fit(make_runner: MakeRunner) -> None:
    one, same, other = make_runner(), make_runner(), make_runner(cache_type_k="q8_0")
    assert one.engine.fingerprint == same.engine.fingerprint
    assert one.engine.fingerprint != other.engine.fingerprint


def test_an_engine_that_shuts_down_saves_nothing(make_runner: MakeRunner) -> None:
    runner = make_runner()

    async def test() -> None:
        stream = runner.engine.submit(make_request(runner, slot_id=0, n_predict=100))
        await anext(stream)
        saving = asyncio.ensure_future(runner.engine.save_slot(0))
        await asyncio.sleep(0)
        runner.engine.drain()
        with pytest.raises(ShuttingDown):
            await saving
        with pytest.raises(ShuttingDown):
            await runner.engine.save_slot(0)
        stream.cancel()

    runner.run(test)
