"""Each token is drawn as often as the chain's definition says, by the samplers and by the kernel."""

import math
from typing import Any

import numpy as np
import pytest

from slots.llama import Logits
from slots.sampling import RowSampler, SampledToken
from tests.slots.sampling.factories import (
    Floats64,
    chi_square,
    chi_square_bound,
    make_sampler,
    sample_tokens,
    tokens_by_logit,
)

N_DRAWS = 20_000
N_VOCAB = 4000
TOP_K, TOP_P, MIN_P, TEMPERATURE = 40, 0.95, 0.05, 0.8
CHAIN: dict[str, Any] = {"top_k": TOP_K, "top_p": TOP_P, "min_p": MIN_P, "temperature": TEMPERATURE}


@pytest.fixture(scope="module")
def row() -> Logits:
    """A row in which each of the samplers removes some tokens."""
    logits = np.random.default_rng(3).standard_normal(N_VOCAB)
    logits[::100] += 6.0
    return logits.astype(np.float32)


def filtered_distribution(row: Logits) -> tuple[list[int], Floats64]:
    """The tokens that the chain's definition leaves, and their probabilities, in 64 bits."""
    tokens = tokens_by_logit(row)[:TOP_K]
    logits = row[tokens].astype(np.float64)
    weights = np.exp(logits - logits[0])
    n_top_p = int((weights.cumsum() < TOP_P * weights.sum()).sum()) + 1
    n_min_p = int((logits[:n_top_p] >= logits[0] + math.log(MIN_P)).sum())
    assert n_min_p < n_top_p < TOP_K
    drawn = np.exp((logits[:n_min_p] - logits[0]) / TEMPERATURE)
    return tokens[:n_min_p], drawn / drawn.sum()


def assert_follow(drawn: list[int], row: Logits) -> None:
    tokens, probabilities = filtered_distribution(row)
    counts = np.bincount(drawn, minlength=N_VOCAB)
    assert counts.sum() == counts[tokens].sum() == N_DRAWS
    assert probabilities.min() * N_DRAWS > 5
    assert chi_square(counts[tokens], probabilities) < chi_square_bound(len(tokens))


def test_by_the_samplers(row: Logits) -> None:
    chain = make_sampler(N_VOCAB, seed=21, **CHAIN)
    assert chain.fused is not None
    assert_follow(sample_tokens(chain, row, N_DRAWS), row)


def test_by_the_kernel(row: Logits) -> None:
    """Four requests, each with a seed of its own."""
    chains = [make_sampler(N_VOCAB, seed=seed, **CHAIN) for seed in range(4)]
    together = RowSampler(N_VOCAB, len(chains), 1)
    rows, places = np.stack([row] * len(chains)), range(len(chains))
    drawn: list[int] = []
    for _ in range(N_DRAWS // len(chains)):
        choices = together.sample(chains, rows, places)
        drawn += [choice.token for choice in choices if isinstance(choice, SampledToken)]
    assert_follow(drawn, row)
