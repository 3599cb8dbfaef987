"""Texts whose tokens a model drafts, to be accepted or rejected, have the distribution of those without drafts."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from models.source import BUNDLED_MODEL
from slots.options import EngineOptions, SpeculationOptions
from slots.requests.sampling_params import SamplingParams
from tests.slots.engine_runner import EngineRunner
from tests.slots.sampling.factories import chi_square, chi_square_bound
from tests.slots.speculation.conftest import MakeDraftingRunner

N_TEXTS = 120
N_AT_ONCE = 4
BIASES = ((11, 3.0), (261, -4.0), (554, -4.0), (567, 2.0))
FEW = SamplingParams(
    temperature=4.0, top_k=3, top_p=1.0, min_p=0.0, repeat_penalty=1.3, ignore_eos=True, logit_bias=BIASES
)
"""The draft model does not know of the biases, so that some of its tokens are rejected."""


def draft_model(**options: Any) -> EngineOptions:
    """The bundled model drafts for itself, but with weights that are quantized."""
    return EngineOptions(speculation=SpeculationOptions(("draft-simple",), draft_file=BUNDLED_MODEL, **options))


async def count_texts(runner: EngineRunner, n_draft: int) -> tuple[Counter[tuple[int, ...]], int, int]:
    """Returns how often each text of three tokens came, and the numbers of drafted and accepted tokens."""
    texts: Counter[tuple[int, ...]] = Counter()
    n_drafted = n_accepted = 0
    for _ in range(N_TEXTS // N_AT_ONCE):
        asked = (runner.complete("Once upon", FEW, n_predict=4, n_draft=n_draft) for _ in range(N_AT_ONCE))
        for answer in await asyncio.gather(*asked):
            texts[tuple(answer.token_ids[:3])] += 1
            n_drafted += answer.finished.timings.draft_n
            n_accepted += answer.finished.timings.draft_n_accepted
    return texts, n_drafted, n_accepted


def assert_same_distribution(one: Counter[tuple[int, ...]], other: Counter[tuple[int, ...]]) -> None:
    """By a chi-square test, in which texts that are rare together are one."""
    texts = [text for text, n in (one + other).items() if n >= 6]
    counts = np.array([[count[text] for text in texts] for count in (one, other)])
    counts = np.column_stack([counts, N_TEXTS - counts.sum(axis=1)])
    counts = counts[:, counts.sum(axis=0) > 0]
    both = counts.sum(axis=0) / counts.sum()
    assert sum(chi_square(row, both) for row in counts) < chi_square_bound(counts.shape[1])
    assert counts.shape[1] > 8


def test_texts_are_as_likely_as_without_drafts(make_drafting_runner: MakeDraftingRunner, float_model: Path) -> None:
    runner = make_drafting_runner(None, draft_model(), n_ctx=256 * N_AT_ONCE, n_parallel=N_AT_ONCE)

    async def test() -> None:
        plain, n_without, _ = await count_texts(runner, 0)
        drafted, n_drafted, n_accepted = await count_texts(runner, -1)
        assert_same_distribution(plain, drafted)
        assert n_without == 0
        assert 0.3 * n_drafted < n_accepted < n_drafted

    runner.run(test)


def test_drafts_that_end_at_unlikely_tokens_leave_them_as_likely(
    make_drafting_runner: MakeDraftingRunner, float_model: Path
) -> None:
    options = draft_model(draft_p_min=0.4, draft_n_min=2)
    runner = make_drafting_runner(None, options, n_ctx=256 * N_AT_ONCE, n_parallel=N_AT_ONCE)

    async def test() -> None:
        plain, _, _ = await count_texts(runner, 0)
        drafted, n_drafted, _ = await count_texts(runner, -1)
        assert_same_distribution(plain, drafted)
        assert n_drafted > 0

    runner.run(test)
