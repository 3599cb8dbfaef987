"""The same seed, prompt and options give the same text, whatever else runs."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from slots.requests.request import CompletionRequest
from slots.requests.sampling_params import SamplingParams
from tests.slots.engine_runner import EXACT, EngineRunner, engine_maker, read

STORY = "Once upon a time, there was a little girl named Lily. She"
SEED = 42
N_TOKENS = 24
N_SLOTS = 4
WATCHED = [
    SamplingParams(temperature=1.5, top_k=200, min_p=0.0, seed=SEED, ignore_eos=True),
    SamplingParams(temperature=1.2, top_k=0, top_p=0.99, xtc_probability=0.5, seed=SEED, ignore_eos=True),
    SamplingParams(temperature=1.2, mirostat=2, mirostat_tau=7.0, seed=SEED, ignore_eos=True),
]
OTHERS = [
    SamplingParams(temperature=0.0, ignore_eos=True),
    SamplingParams(temperature=2.0, seed=SEED, ignore_eos=True),
    SamplingParams(temperature=1.0, top_k=0, typical_p=0.9, dry_multiplier=1.0, seed=7, ignore_eos=True, n_probs=3),
    SamplingParams(mirostat=1, seed=SEED, ignore_eos=True),
]


@pytest.fixture(scope="module", params=[True, False], ids=["pool", "streams"])
def floats(request: pytest.FixtureRequest, float_model: Path) -> Iterator[EngineRunner]:
    """An engine that computes in 32-bit floats: the shape of a batch does next to nothing to its logits."""
    with engine_maker(**EXACT) as make:
        yield make(path=float_model, n_ctx=128 * N_SLOTS, n_parallel=N_SLOTS, kv_unified=request.param)


async def text_of(runner: EngineRunner, params: SamplingParams, prompt: str = STORY) -> str:
    request = CompletionRequest(runner.prompt(prompt), params, n_predict=N_TOKENS, cache_prompt=False)
    return (await read(runner.engine.submit(request))).text


@pytest.mark.parametrize("params", WATCHED, ids=["usual", "xtc", "mirostat"])
def test_whatever_runs_beside_it_the_text_is_the_same(floats: EngineRunner, params: SamplingParams) -> None:
    async def alongside(*others: SamplingParams) -> str:
        prompts = ("The dog ran into the big", "Tom said", STORY)
        texts = (text_of(floats, other, prompt) for other, prompt in zip(others, prompts, strict=True))
        return (await asyncio.gather(text_of(floats, params), *texts))[0]

    async def test() -> None:
        expected = await alongside(*OTHERS[:3])
        assert await alongside(*OTHERS[1:]) == expected
        assert await alongside(OTHERS[3], params, OTHERS[0]) == expected

    floats.run(test)


@pytest.mark.parametrize("params", WATCHED, ids=["usual", "xtc", "mirostat"])
def test_requests_with_one_seed_do_not_share_a_generator(floats: EngineRunner, params: SamplingParams) -> None:
    async def test() -> None:
        alone = await text_of(floats, params)
        together = await asyncio.gather(*(text_of(floats, params) for _ in range(N_SLOTS)))
        assert together == [alone] * N_SLOTS

    floats.run(test)
