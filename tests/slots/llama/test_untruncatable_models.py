"""Models whose memory cannot be cut at any position: never a wrong answer, and little is computed twice."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slots.options import ContextOptions, EngineOptions
from slots.requests.request import CompletionRequest
from slots.requests.scope import CacheScope
from tests.slots.engine_runner import WITH_RUNNER_UP, Completion, EngineRunner, assert_same_text, load_engine, read
from tests.slots.llama.tiny_models import write_hybrid, write_mamba, write_sliding_window

PREFIX = tuple((17 * n) % 900 + 50 for n in range(100))
OWN = [tuple(range(start, start + 9)) for start in (1000, 1100, 1200, 1300)]


@pytest.fixture(scope="module", params=[write_mamba, write_sliding_window, write_hybrid])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of each kind."""
    write: Callable[[Path], Path] = request.param
    return write(tmp_path_factory.mktemp("models") / "model.gguf")


@pytest.fixture(params=[True, False], ids=["unified", "streams"])
def odd(request: pytest.FixtureRequest, model: Path) -> Iterator[EngineRunner]:
    """An engine on it, in both layouts."""
    context = ContextOptions(
        n_ctx=2048, n_threads=1, kv_unified=request.param, n_batch=64, n_ubatch=32, flash_attention="off"
    )
    runner = EngineRunner(load_engine(context, path=model))
    yield runner
    runner.close()


async def complete(runner: EngineRunner, prompt: tuple[int, ...], *, cache_prompt: bool = True) -> Completion:
    asked = CompletionRequest(prompt, WITH_RUNNER_UP, n_predict=8, cache_prompt=cache_prompt)
    return await read(runner.engine.submit(asked))


def test_of_requests_that_come_together_one_computes_what_they_have_in_common(odd: EngineRunner) -> None:
    async def test() -> None:
        answers = await asyncio.gather(*(complete(odd, PREFIX + own) for own in OWN))
        n_computed = sum(answer.finished.timings.prompt_n for answer in answers)
        assert n_computed == len(PREFIX) + sum(map(len, OWN))
        for own, answer in zip(OWN, answers, strict=True):
            assert_same_text(await complete(odd, PREFIX + own, cache_prompt=False), answer)

    odd.run(test)


def test_a_text_that_goes_on_computes_only_what_is_new(odd: EngineRunner) -> None:
    async def test() -> None:
        first = await complete(odd, PREFIX)
        so_far = PREFIX + tuple(token.token for token in first.tokens)
        second = await complete(odd, so_far + OWN[0])
        assert second.finished.timings.cached_n == len(so_far) - 1
        assert_same_text(await complete(odd, so_far + OWN[0], cache_prompt=False), second)

    odd.run(test)


def test_another_answer_to_the_same_prompt_starts_where_the_prompt_ends(odd: EngineRunner) -> None:
    async def test() -> None:
        first = await complete(odd, PREFIX)
        again = await complete(odd, PREFIX)
        assert again.finished.timings.prompt_n == 1
        assert_same_text(first, again)
        other_way = await complete(odd, PREFIX + OWN[1])
        assert other_way.finished.timings.cached_n == len(PREFIX) - 1
        assert_same_text(await complete(odd, PREFIX + OWN[1], cache_prompt=False), other_way)

    odd.run(test)


def test_a_prompt_that_parts_in_the_middle_is_computed_anew(odd: EngineRunner) -> None:
    async def test() -> None:
        await complete(odd, PREFIX)
        other = await complete(odd, PREFIX[:50] + OWN[0])
        assert_same_text(await complete(odd, PREFIX[:50] + OWN[0], cache_prompt=False), other)

    odd.run(test)


def test_of_texts_that_part_in_the_middle_the_third_goes_on_from_there(odd: EngineRunner) -> None:
    async def test() -> None:
        await complete(odd, PREFIX)
        for own, n_cached in ((OWN[0], 0), (OWN[1], 50), (OWN[2], 50)):
            other = await complete(odd, PREFIX[:50] + own)
            assert other.finished.timings.cached_n == n_cached
            assert_same_text(await complete(odd, PREFIX[:50] + own, cache_prompt=False), other)

    odd.run(test)


def test_a_system_prompt_is_computed_once(odd: EngineRunner) -> None:
    async def test() -> None:
        for own, n_cached in zip(OWN, (0, 60, 60, 60), strict=True):
            asked = CompletionRequest(PREFIX[:60] + own, WITH_RUNNER_UP, n_predict=8, scope=CacheScope("", n_public=60))
            answer = await read(odd.engine.submit(asked))
            assert answer.finished.timings.cached_n == n_cached
            assert_same_text(await complete(odd, PREFIX[:60] + own, cache_prompt=False), answer)

    odd.run(test)


def test_more_requests_than_slots_take_what_the_first_computed_too(odd: EngineRunner) -> None:
    async def test() -> None:
        prompts = [PREFIX + own + (extra,) for own in OWN for extra in (7, 8)]
        answers = await asyncio.gather(*(complete(odd, prompt) for prompt in prompts))
        n_computed = sum(answer.finished.timings.prompt_n for answer in answers)
        assert n_computed <= len(PREFIX) + sum(len(prompt) - len(PREFIX) for prompt in prompts)

    odd.run(test)


def test_a_saved_slot_goes_on_where_it_was(odd: EngineRunner) -> None:
    async def test() -> None:
        first = await complete(odd, PREFIX)
        so_far = PREFIX + tuple(token.token for token in first.tokens)
        saved = await odd.engine.save_slot(first.finished.slot_id)
        for slot_id in range(odd.engine.n_slots):
            await odd.engine.erase_slot(slot_id)
        await odd.engine.restore_slot(1, saved)
        on = await complete(odd, so_far)
        assert on.finished.timings.prompt_n == 1
        assert_same_text(await complete(odd, so_far, cache_prompt=False), on)

    odd.run(test)


def test_beyond_the_end_of_the_context_what_stays_is_computed_anew(model: Path) -> None:
    context = ContextOptions(n_ctx=256, n_parallel=1, n_threads=1)
    shifting = EngineOptions(context_shift=True)
    runner = EngineRunner(load_engine(context, shifting, model))

    async def test() -> None:
        answer = await read(runner.engine.submit(CompletionRequest(PREFIX, WITH_RUNNER_UP, n_predict=300, n_keep=-1)))
        assert len(answer.tokens) == 300
        assert answer.finished.truncated

    runner.run(test)
    runner.close()
