"""Mirostat 1 on rows of any kind: k as the paper computes it, and llama.cpp's own wherever that computes a k."""

import llama_cpp.llama_cpp as lib
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.sampling.llama_samplers import LlamaSampler
from slots.sampling.sampler import no_float_warnings
from slots.sampling.samplers.mirostat import MirostatV1
from tests.slots.sampling.factories import exact_softmax, examples, make_row
from tests.slots.sampling.llama_cpp.oracle import (
    SEED,
    Remaining,
    Row,
    apply_llama_sampler,
    assert_same,
    full_row,
    get_remaining,
    listed_row,
)
from tests.slots.sampling.llama_cpp.test_stateful import Make

SIZE = 256
N_ESTIMATE = 100
MAX_INT = 2**31 - 1
ROUNDING = 1e-6
"""Of an exponent that is computed in 32 bits; that of equal logits is exact."""
KINDS = ("normal", "peaked", "tied", "flat", "zeros", "ascending", "masked")

rows = st.builds(make_row, st.integers(0, 2**32 - 1), st.just(SIZE), st.sampled_from(KINDS)).filter(
    lambda row: np.count_nonzero(row > -np.inf) >= N_ESTIMATE  # of fewer, llama.cpp's exponent is not a number
)


def zipf_exponent(row: Row) -> float:
    """The paper's estimate, in 64 bits."""
    p = np.sort(exact_softmax(row))[::-1][:N_ESTIMATE]
    t = np.log([(i + 2) / (i + 1) for i in range(N_ESTIMATE - 1)])
    return float((t * np.log(p[:-1] / p[1:])).sum() / (t**2).sum())


def expected_k(exponent: float, bits: float) -> float:
    """The paper's k, which may be infinite."""
    epsilon = exponent - 1
    base = np.float64(epsilon * 2.0**bits / (1 - np.float64(SIZE) ** -epsilon))
    return float(base ** (1 / np.float64(exponent)))


def assert_right(row: Row, bits: float, ours: Remaining, theirs: Remaining) -> None:
    """k is the paper's, and llama.cpp's where it is an integer of 32 bits that rounding does not decide."""
    exponent = zipf_exponent(row)
    spread = ROUNDING if exponent > 0 else 0.0
    min_k, max_k = sorted(expected_k(slope, bits) for slope in (exponent - spread, exponent + spread))
    fewest, largest = (max(int(min(k, SIZE)), 1) for k in (min_k, max_k))
    n_possible = int(np.count_nonzero(row > -np.inf))
    assert min(fewest, n_possible) <= len(ours.tokens) <= largest
    if fewest == largest and max_k < MAX_INT:
        assert_same(row, ours, theirs)


@examples(80)
@given(
    st.lists(rows, min_size=1, max_size=6), st.sampled_from([full_row, listed_row]), st.floats(0, 12), st.floats(0, 1)
)
def test_mirostat_1(some_rows: list[Row], make: Make, tau: float, eta: float) -> None:
    sampler = MirostatV1(tau, eta, SIZE)
    with LlamaSampler(lib.llama_sampler_init_mirostat(SIZE, SEED, tau, eta, N_ESTIMATE)) as theirs, no_float_warnings():
        for row in some_rows:
            candidates = make(row)
            bits = sampler.bits
            sampler(candidates)
            left = apply_llama_sampler(theirs, row)
            assert_right(row, bits, get_remaining(candidates), left)
            assert left.selected is not None
            like_theirs = [row[candidates.token(place)] == row[left.selected] for place in range(len(candidates))]
            sampler.observe(like_theirs.index(True), left.probabilities[left.selected])
