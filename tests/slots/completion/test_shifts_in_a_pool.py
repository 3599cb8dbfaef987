"""In a pool, a prefix that another slot shares does not change the text after a context shift."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from slots.options import EngineOptions
from slots.requests.request import CompletionRequest
from tests.slots.engine_runner import EXACT, WITH_RUNNER_UP, Completion, EngineRunner, engine_maker, read

N_CTX = 768
ROUNDING = 1e-3
"""Of log probabilities; a context that is computed again instead of moved changes them by a tenth and more."""


@pytest.fixture
def pool(float_model: Path) -> Iterator[EngineRunner]:
    """An engine with two slots that share cells."""
    shifting = EngineOptions(context_shift=True)
    with engine_maker(**EXACT) as make:
        yield make(shifting, path=float_model, n_ctx=N_CTX, n_parallel=2, kv_unified=True)


async def complete_with_shift(runner: EngineRunner, prompt: tuple[int, ...]) -> Completion:
    """An answer that is longer than the context."""
    n_predict = N_CTX - len(prompt) + 40
    return await read(runner.engine.submit(CompletionRequest(prompt, WITH_RUNNER_UP, n_predict=n_predict, slot_id=1)))


def assert_same(one: Completion, other: Completion) -> None:
    for mine, theirs in zip(one.tokens, other.tokens, strict=True):
        assert mine.token == theirs.token
        assert mine.logprobs is not None
        assert theirs.logprobs is not None
        assert abs(mine.logprobs.sampled.logprob - theirs.logprobs.sampled.logprob) < ROUNDING


def test_an_idle_slot_with_the_same_beginning_changes_nothing(pool: EngineRunner) -> None:
    prompt = (*pool.prompt("Once upon a time there was a dog who could sing. It lived by the sea.") * 40,)[:640]

    async def test() -> None:
        alone = await complete_with_shift(pool, prompt)
        assert alone.finished.truncated
        await pool.engine.erase_slot(1)
        await read(pool.engine.submit(CompletionRequest(prompt[:500], WITH_RUNNER_UP, n_predict=0, slot_id=0)))
        alongside = await complete_with_shift(pool, prompt)
        assert alongside.finished.timings.cached_n == 500
        assert_same(alone, alongside)

    pool.run(test)
