"""Against the definition, step by step in Python."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.llama import Logits
from slots.sampling.logits.candidates import Candidates
from slots.sampling.samplers.truncation import keep_before_tail
from tests.slots.sampling.llama_cpp.oracle import few, whole
from tests.slots.sampling.made_up import examples, in_order, logits_of, probabilities_of, rows, tokens_of

ROUNDING = 1e-5
"""Of shares of the curvature, where logits are subtracted in 32 bits."""

either_way = pytest.mark.parametrize("make", [whole, few])

Make = Callable[[Logits], Candidates]


def tail_shares(row: Logits) -> list[float]:
    """For each place in the sorted row but the last two, the share of the curvature up to it."""
    p = sorted(probabilities_of(row).tolist(), reverse=True)
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
    keep_before_tail(candidates, z, min_keep)
    n, shares = len(candidates), tail_shares(row)
    assert sorted(tokens_of(candidates)) == sorted(in_order(row)[:n])
    assert n >= min(max(min_keep, 1), row.size)
    if n < row.size:
        assert shares[min(n, len(shares) - 1)] > z - ROUNDING
    before = [share for place, share in enumerate(shares[:n]) if place >= max(min_keep, 1)]
    assert all(share <= z + ROUNDING for share in before)


@either_way
@pytest.mark.parametrize("z", [0.0, 0.5])
def test_two_tokens_have_no_tail(make: Make, z: float) -> None:
    candidates = make(logits_of(0.9, 0.1))
    keep_before_tail(candidates, z, 0)
    assert sorted(tokens_of(candidates)) == [0, 1]


@either_way
def test_by_the_numbers(make: Make) -> None:
    """The slopes are -0.16, -0.16, -0.04 and 0, the curvature is 0, 0.12 and 0.04."""
    row = logits_of(0.44, 0.28, 0.12, 0.08, 0.08)
    for z, kept in [(0.5, [0]), (0.8, [0, 1])]:
        candidates = make(row)
        keep_before_tail(candidates, z, 0)
        assert tokens_of(candidates) == kept


@either_way
def test_of_tokens_that_are_equally_likely_the_share_z_stays(make: Make) -> None:
    candidates = make(np.zeros(102, np.float32))
    keep_before_tail(candidates, 0.495, 0)
    assert tokens_of(candidates) == list(range(49))


@either_way
def test_the_tail_begins_behind_the_share_z(make: Make) -> None:
    """And not where it is just reached: the shares are quarters."""
    candidates = make(np.zeros(6, np.float32))
    keep_before_tail(candidates, 0.5, 0)
    assert tokens_of(candidates) == [0, 1]


def test_a_single_possible_token_stays() -> None:
    candidates = whole(np.array([-np.inf, 1.0, -np.inf, -np.inf], np.float32))
    keep_before_tail(candidates, 0.0, 0)
    assert tokens_of(candidates) == [1]
