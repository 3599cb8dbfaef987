"""Texts whose tokens a model drafts, to be accepted or rejected, have the distribution of those without drafts."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.source import BUNDLED_MODEL
from slots.options import EngineOptions, SpeculationOptions
from slots.requests.sampling_params import SamplingParams
from tests.slots.engine_runner import EngineRunner
from tests.slots.speculation.conftest import MakeDraftingRunner

N_TEXTS = 32
N_TOKENS = 48
N_AT_ONCE = 4
FULL_STOP = 11
BIASED = SamplingParams(
    temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, repeat_penalty=1.0, ignore_eos=True, logit_bias=((FULL_STOP, 4.0),)
)
"""The draft model does not know of the bias, so that some of its tokens are rejected."""

MAX_DEVIATIONS = 5.0
"""What is drawn depends on the times of the steps, so no seed repeats it: one run in a million exceeds this."""


def draft_model(**options: Any) -> EngineOptions:
    """The bundled model drafts for itself, but with weights that are quantized."""
    return EngineOptions(speculation=SpeculationOptions(("draft-simple",), draft_file=BUNDLED_MODEL, **options))


async def count_full_stops(runner: EngineRunner, n_draft: int) -> tuple[npt.NDArray[np.float64], int, int]:
    """Returns how many tokens of each text are full stops, and the numbers of drafted and accepted tokens."""
    counts, n_drafted, n_accepted = [], 0, 0
    for _ in range(N_TEXTS // N_AT_ONCE):
        asked = (runner.complete("Once upon", BIASED, n_predict=N_TOKENS, n_draft=n_draft) for _ in range(N_AT_ONCE))
        for answer in await asyncio.gather(*asked):
            counts.append(answer.token_ids.count(FULL_STOP))
            n_drafted += answer.finished.timings.draft_n
            n_accepted += answer.finished.timings.draft_n_accepted
    return np.array(counts, float), n_drafted, n_accepted


def deviations(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """How many standard errors the means are apart, by Welch's t-test."""
    return float(abs(one.mean() - other.mean()) / np.sqrt(one.var(ddof=1) / one.size + other.var(ddof=1) / other.size))


def test_texts_are_as_likely_as_without_drafts(make_drafting_runner: MakeDraftingRunner, float_model: Path) -> None:
    runner = make_drafting_runner(None, draft_model(), n_ctx=256 * N_AT_ONCE, n_parallel=N_AT_ONCE)

    async def test() -> None:
        plain, n_without, _ = await count_full_stops(runner, 0)
        drafted, n_drafted, n_accepted = await count_full_stops(runner, -1)
        assert deviations(plain, drafted) < MAX_DEVIATIONS
        assert n_without == 0
        assert 0.3 * n_drafted < n_accepted < n_drafted

    runner.run(test)


def test_drafts_that_end_at_unlikely_tokens_leave_them_as_likely(
    make_drafting_runner: MakeDraftingRunner, float_model: Path
) -> None:
    options = draft_model(draft_p_min=0.4, draft_n_min=2)
    runner = make_drafting_runner(None, options, n_ctx=256 * N_AT_ONCE, n_parallel=N_AT_ONCE)

    async def test() -> None:
        plain, _, _ = await count_full_stops(runner, 0)
        drafted, n_drafted, _ = await count_full_stops(runner, -1)
        assert deviations(plain, drafted) < MAX_DEVIATIONS
        assert n_drafted > 0

    runner.run(test)
