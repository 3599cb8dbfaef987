"""Against the definition, step by step in Python."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.llama import Logits
from slots.sampling.logits.candidates import Candidates
from slots.sampling.samplers.truncation import keep_tail_free
from tests.slots.sampling.factories import exact_softmax, examples, get_tokens, make_logits, rows, tokens_by_logit
from tests.slots.sampling.llama_cpp.oracle import full_row, listed_row

ROUNDING = 1e-5
"""Relative error of the curvature: logits are subtracted in 32 bits."""

either_way = pytest.mark.parametrize("make", [full_row, listed_row])

Make = Callable[[Logits], Candidates]


def tail_shares(row: Logits) -> list[float]:
    """For each place in the sorted row but the last two, the share of the curvature up to it."""
    p = sorted(exact_softmax(row).tolist(), reverse=True)
    slopes = [after - before for before, after in pairwise(p)]
    curvature = [abs(after - before) for before, after in pairwise(slopes)]
    total = sum(curvature)
    if total <= 1e-6:
        return [(place + 1) / len(curvature) for place in range(len(curvature))]
    return [float(share) for share in np.cumsum(curvature) / total]


@either_way
@examples(50)
@given(row=rows, z=st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.99]), min_keep=st.sampled_from([0, 1, 5, 10**9]))
def test_the_tail_begins_at_the_first_token_beyond_z(make: Make, row: Logits, z: float, min_keep: int) -> None:
    candidates = make(row)
    keep_tail_free(candidates, z, min_keep)
    n, shares = len(candidates), tail_shares(row)
    assert sorted(get_tokens(candidates)) == sorted(tokens_by_logit(row)[:n])
    assert n >= min(max(min_keep, 1), row.size)
    if n < row.size:
        assert shares[min(n, len(shares) - 1)] > z - ROUNDING
    before = [share for place, share in enumerate(shares[:n]) if place >= max(min_keep, 1)]
    assert all(share <= z + ROUNDING for share in before)


@either_way
@pytest.mark.parametrize("z", [0.0, 0.5])
def test_two_tokens_have_no_tail(make: Make, z: float) -> None:
    candidates = make(make_logits(0.9, 0.1))
    keep_tail_free(candidates, z, 0)
    assert sorted(get_tokens(candidates)) == [0, 1]


@either_way
def test_by_the_numbers(make: Make) -> None:
    """The slopes are -0.16, -0.16, -0.04 and 0, the curvature is 0, 0.12 and 0.04."""
    row = make_logits(0.44, 0.28, 0.12, 0.08, 0.08)
    for z, kept in [(0.5, [0]), (0.8, [0, 1])]:
        candidates = make(row)
        keep_tail_free(candidates, z, 0)
        assert get_tokens(candidates) == kept


@either_way
def test_of_tokens_that_are_equally_likely_the_share_z_stays(make: Make) -> None:
    candidates = make(np.zeros(102, np.float32))
    keep_tail_free(candidates, 0.495, 0)
    assert get_tokens(candidates) == list(range(49))


@either_way
def test_the_tail_begins_behind_the_share_z(make: Make) -> None:
    """Not where it equals z: the shares are quarters."""
    candidates = make(np.zeros(6, np.float32))
    keep_tail_free(candidates, 0.5, 0)
    assert get_tokens(candidates) == [0, 1]


def test_a_single_possible_token_stays() -> None:
    candidates = full_row(np.array([-np.inf, 1.0, -np.inf, -np.inf], np.float32))
    keep_tail_free(candidates, 0.0, 0)
    assert get_tokens(candidates) == [1]
