"""Factories of logits, contexts and samplers for tests, reference definitions, and a chi-square test."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from slots.llama import Logits
from slots.requests.sampling_params import SamplingParams
from slots.sampling import SampledToken, Sampler, SamplerContext
from slots.sampling.logits import kernels, threads
from slots.sampling.logits.candidates import Candidates
from slots.sampling.logits.workspace import Workspace
from slots.sampling.sequence_breakers import SequenceBreakers

Floats64 = npt.NDArray[np.float64]

KINDS = ("normal", "narrow", "peaked", "tied", "flat", "zeros", "masked", "one possible", "ascending")


def examples(n: int) -> settings:
    """Hypothesis settings for n examples, the same ones in every run."""
    return settings(max_examples=n, deadline=None, derandomize=True)


@contextmanager
def with_compiled_part(*, enabled: bool) -> Iterator[None]:
    """Run with the compiled part of the samplers, or as if nothing could be compiled."""
    with pytest.MonkeyPatch.context() as patch:
        if not enabled:
            patch.setattr(kernels, "IS_COMPILED", False)
            patch.setattr(threads, "HAS_OPENMP", False)
        yield


def make_row(seed: int, size: int, kind: str) -> Logits:
    """Logits of one of the KINDS, float32 of shape (size,)."""
    random = np.random.default_rng(seed)
    row = random.standard_normal(size) * random.choice([0.5, 2.0, 6.0])
    special = random.integers(size)
    match kind:
        case "narrow":
            row *= random.choice([1e-3, 1e-7])
        case "peaked":
            row[special] = row.max() + 20
        case "tied":
            row = np.round(row)
        case "flat":
            row[:] = row[0]
        case "zeros":
            row = random.choice([0.0, -0.0, -1.0], size)
        case "masked":
            row[random.random(size) < random.random()] = -np.inf
            row[special] = 1.0
        case "one possible":
            row[:] = -np.inf
            row[special] = 1.0
        case "ascending":
            row.sort()
    logits: Logits = row.astype(np.float32)
    return logits


def row_strategy(sizes: st.SearchStrategy[int]) -> st.SearchStrategy[Logits]:
    """Rows of all kinds, each with at least one token above -inf."""
    return st.builds(make_row, st.integers(0, 2**32 - 1), sizes, st.sampled_from(KINDS))


logit = st.one_of(st.floats(-40, 40, width=32), st.integers(-2, 2).map(float), st.sampled_from([-0.0, -np.inf]))
short_rows = st.lists(logit, min_size=1, max_size=40).filter(lambda row: max(row) > -np.inf)
rows = st.one_of(
    short_rows.map(lambda row: np.array(row, np.float32)),
    row_strategy(st.integers(1, 3000)),
    row_strategy(st.sampled_from([8191, 16384, 17000, 40_000])),
)
"""Short and long rows, with ties, zeros of both signs and tokens at -inf."""


def floats32(minimum: float, maximum: float) -> st.SearchStrategy[float]:
    """Numbers that 32 bits represent exactly: llama.cpp's samplers take floats."""
    return st.floats(float(np.float32(minimum)), float(np.float32(maximum)), width=32)


def tokens_by_logit(row: npt.NDArray[Any]) -> list[int]:
    """The tokens by falling logit, the lower one first among equals."""
    order: list[int] = (-row).argsort(kind="stable").tolist()
    return order


def exact_softmax(row: Logits) -> Floats64:
    """The softmax, in 64 bits."""
    weights = np.exp(row.astype(np.float64) - float(row.max()))
    return np.asarray(weights / weights.sum())


def get_tokens(candidates: Candidates) -> list[int]:
    """The candidates' tokens in their order."""
    return [candidates.token(place) for place in range(len(candidates))]


def make_logits(*probabilities: float) -> Logits:
    """Logits with these probabilities."""
    with np.errstate(divide="ignore"):
        logits: Logits = np.log(probabilities).astype(np.float32)
    return logits


def make_context(n_vocab: int, **fields: Any) -> SamplerContext:
    """A context with these fields and defaults for the others."""
    return SamplerContext(**{"n_vocab": n_vocab, "n_ctx": 1000, **fields})


def make_breakers(sequences: Mapping[int, Iterable[tuple[int, ...]]]) -> SequenceBreakers:
    """Sequence breakers from the suffixes of each first token."""
    first_tokens: dict[tuple[int, ...], list[int]] = {}
    for first in sorted(sequences):
        for suffix in sequences[first]:
            first_tokens.setdefault(suffix, []).append(first)
    return SequenceBreakers([{suffix: np.array(tokens, np.int32) for suffix, tokens in first_tokens.items()}])


def breaker_sequences(breakers: SequenceBreakers) -> dict[int, set[tuple[int, ...]]]:
    """The inverse of `make_breakers`: the suffixes of each first token."""
    sequences: dict[int, set[tuple[int, ...]]] = {}
    for first_tokens in breakers.by_string:
        for suffix, tokens in first_tokens.items():
            for token in tokens.tolist():
                sequences.setdefault(token, set()).add(suffix)
    return sequences


def make_sampler(
    n_vocab: int, prompt: Sequence[int] = (0,), context: dict[str, Any] | None = None, **params: Any
) -> Sampler:
    """A sampler with a fixed seed and without penalties unless the options say otherwise."""
    options = {"repeat_penalty": 1.0, "seed": 7, **params}
    return Sampler(SamplingParams(**options), prompt, make_context(n_vocab, **(context or {})))


def sample(chain: Sampler, row: Logits | Sequence[float]) -> SampledToken:
    """Sample from a copy of a row."""
    copy = np.array(row, np.float32)
    return chain.sample(copy, Workspace(copy.size))


def sample_tokens(chain: Sampler, row: Logits | Sequence[float], n: int) -> list[int]:
    """Sample n times from the same row."""
    row = np.array(row, np.float32)
    workspace = Workspace(row.size)
    return [chain.sample(row.copy(), workspace).token for _ in range(n)]


def chi_square(counts: npt.NDArray[Any], probabilities: npt.NDArray[Any]) -> float:
    """Pearson's chi-square statistic of counts against expected probabilities."""
    expected = counts.sum() * probabilities
    return float(((counts - expected) ** 2 / expected).sum())


def chi_square_bound(n_bins: int) -> float:
    """The 99.9th percentile of the statistic, by Wilson and Hilferty (1931): within 0.3 of the tables (20.5 for 6 bins,
    45.3 for 21)."""
    degrees = n_bins - 1
    part = 2 / (9 * degrees)
    return degrees * (1 - part + 3.0902 * math.sqrt(part)) ** 3
