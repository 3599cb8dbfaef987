import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.llama import Logits
from slots.sampling.logits.candidates import Candidates
from slots.sampling.samplers.mirostat import MirostatV1, MirostatV2
from tests.slots.sampling.factories import (
    exact_softmax,
    examples,
    get_tokens,
    make_logits,
    make_sampler,
    rows,
    sample,
    tokens_by_logit,
)
from tests.slots.sampling.llama_cpp.oracle import full_row, listed_row

either_way = pytest.mark.parametrize("make", [full_row, listed_row])
versions = pytest.mark.parametrize("mirostat", [MirostatV2(2.0, 0.1), MirostatV1(2.0, 0.1, 100)], ids=["2", "1"])

Make = Callable[[Logits], Candidates]


@either_way
@examples(50)
@given(row=rows, tau=st.one_of(st.floats(0, 12), st.sampled_from([0.0, 5.0])))
def test_version_2_takes_tokens_away_that_are_more_surprising_than_twice_tau(
    make: Make, row: Logits, tau: float
) -> None:
    candidates = make(row)
    MirostatV2(tau, 0.1)(candidates)
    kept = set(get_tokens(candidates))
    bound = 2.0 ** (-2 * tau)
    order, p = tokens_by_logit(row), exact_softmax(row)
    assert {token for token in order if p[token] >= bound * 1.00001} <= kept
    assert kept <= {token for token in order if p[token] >= bound * 0.99999} | {order[0]}
    assert order[0] in kept


@either_way
def test_version_2_leaves_the_most_likely_token_where_all_are_too_surprising(make: Make) -> None:
    candidates = make(make_logits(0.3, 0.4, 0.3))
    MirostatV2(0.1, 0.1)(candidates)
    assert get_tokens(candidates) == [1]


def expected_k(row: Logits, bits: float, n_vocab: int) -> float:
    """Equation 30 of the paper, with the exponent estimated from the 100 most likely tokens (equation 28)."""
    p = sorted(exact_softmax(row).tolist(), reverse=True)[:100]
    t = [math.log((i + 2) / (i + 1)) for i in range(len(p) - 1)]
    b = [math.log(p[i] / p[i + 1]) for i in range(len(p) - 1)]
    exponent = sum(x * y for x, y in zip(t, b, strict=True)) / sum(x * x for x in t)
    epsilon = exponent - 1
    return float((epsilon * 2**bits / (1 - n_vocab**-epsilon)) ** (1 / exponent))


@either_way
@examples(40)
@given(
    seed=st.integers(0, 1000), size=st.sampled_from([30, 300, 5000]), tau=st.floats(0.1, 8), spread=st.floats(0.5, 4)
)
def test_version_1_keeps_as_many_tokens_as_the_paper_says(
    make: Make, seed: int, size: int, tau: float, spread: float
) -> None:
    row = (spread * np.random.default_rng(seed).standard_normal(size)).astype(np.float32)
    candidates = make(row)
    MirostatV1(tau, 0.1, size)(candidates)
    k = expected_k(row, 2 * tau, size)
    assert get_tokens(candidates) == tokens_by_logit(row)[: len(candidates)]
    allowed = {min(max(int(x), 1), size) for x in (k * (1 - 1e-4), k, k * (1 + 1e-4))}
    assert len(candidates) in allowed


@versions
def test_a_choice_more_surprising_than_tau_lowers_the_bound_and_a_less_surprising_one_raises_it(
    mirostat: MirostatV1 | MirostatV2,
) -> None:
    before = mirostat.bits
    mirostat.observe(0, 2.0**-5)
    assert mirostat.bits == pytest.approx(before - 0.1 * 3)
    before = mirostat.bits
    mirostat.observe(0, 0.5)
    assert mirostat.bits == pytest.approx(before + 0.1 * 1)


def test_the_bound_starts_at_twice_tau() -> None:
    assert MirostatV1(3.0, 0.1, 100).bits == MirostatV2(3.0, 0.1).bits == 6.0


@either_way
@pytest.mark.parametrize("bits", [-1000.0, 1000.0])
def test_at_the_ends_of_the_bound_one_token_or_all_that_are_possible_stay(make: Make, bits: float) -> None:
    row = np.array([1, 3, -np.inf, 2], np.float32)
    for mirostat in (MirostatV2(1.0, 0.1), MirostatV1(1.0, 0.1, row.size)):
        mirostat.bits = bits
        candidates = make(row)
        with np.errstate(all="ignore"):
            mirostat(candidates)
        kept = set(get_tokens(candidates))
        assert kept == {1} if bits < 0 else kept >= {0, 1, 3}


@pytest.mark.parametrize("tau", [2.0, 3.0, 5.0])
def test_version_2_keeps_the_mean_surprise_near_tau(tau: float) -> None:
    """Of 2,000 tokens drawn with a fixed seed, the surprise being that among the candidates that were left."""
    row = (2.5 * np.random.default_rng(1).standard_normal(2000)).astype(np.float32)
    p = np.sort(exact_softmax(row))[::-1]
    assert -float((p * np.log2(p)).sum()) > tau + 1  # without Mirostat it would be more
    mirostat, random = MirostatV2(tau, 0.1), np.random.default_rng(2)
    surprises = []
    for _ in range(2000):
        candidates = full_row(row)
        mirostat(candidates)
        left = exact_softmax(candidates.logits)
        place = int(random.choice(left.size, p=left))
        surprises.append(-math.log2(left[place]))
        mirostat.observe(place, float(left[place]))
    assert abs(np.mean(surprises) - tau) < 0.1


@pytest.mark.parametrize("version", [1, 2])
def test_a_sampler_with_mirostat_learns_from_its_own_choices(version: int) -> None:
    """Of 600 tokens drawn with a fixed seed from the distribution of Zipf's law, which has 7.3 bits."""
    options: dict[str, Any] = {"mirostat": version, "mirostat_tau": 4.0, "mirostat_eta": 0.1}
    chain = make_sampler(1024, temperature=1.0, n_probs=1, post_sampling_probs=True, **options)
    row = -np.log(np.arange(1, 1025)).astype(np.float32)
    choices = [sample(chain, row).logprobs for _ in range(600)]
    surprises = [-choice.sampled.logprob / math.log(2) for choice in choices if choice is not None]
    assert abs(np.mean(surprises) - 4) < 0.2
