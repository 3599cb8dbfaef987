import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.llama import Logits
from slots.sampling.logits.candidates import Candidates
from slots.sampling.samplers.xtc import Xtc
from tests.slots.sampling.factories import exact_softmax, examples, get_tokens, make_logits, rows
from tests.slots.sampling.llama_cpp.oracle import full_row, listed_row

either_way = pytest.mark.parametrize("make", [full_row, listed_row])

Make = Callable[[Logits], Candidates]
ROW = make_logits(0.1, 0.4, 0.2, 0.28, 0.02)


def exclude(candidates: Candidates, threshold: float, min_keep: int = 0, probability: float = 1.0) -> list[int]:
    Xtc(probability, threshold, min_keep, np.random.default_rng(1))(candidates)
    return get_tokens(candidates)


@either_way
def test_only_the_least_likely_of_the_top_tokens_stays_of_them(make: Make) -> None:
    assert exclude(make(ROW), 0.15) == [0, 2, 4]


@either_way
@pytest.mark.parametrize("threshold", [0.3, 0.41, 0.5])
def test_fewer_than_two_top_tokens_all_stay(make: Make, threshold: float) -> None:
    assert exclude(make(ROW), threshold) == [0, 1, 2, 3, 4]


@either_way
def test_nothing_is_taken_away_where_fewer_than_min_keep_would_stay(make: Make) -> None:
    assert exclude(make(ROW), 0.15, min_keep=3) == [0, 2, 4]
    assert exclude(make(ROW), 0.15, min_keep=4) == [0, 1, 2, 3, 4]


@either_way
def test_of_equally_likely_top_tokens_the_lowest_stays(make: Make) -> None:
    assert exclude(make(make_logits(0.1, 0.3, 0.3, 0.3)), 0.2) == [0, 1]


@either_way
def test_a_threshold_of_zero_leaves_a_token_that_is_possible(make: Make) -> None:
    candidates = make(np.array([-np.inf, 2.0, 1.0, -np.inf], np.float32))
    assert 2 in exclude(candidates, 0.0)
    assert 1 not in get_tokens(candidates)


@either_way
def test_candidates_that_are_sorted_stay_sorted(make: Make) -> None:
    candidates = make(ROW).sort()
    assert exclude(candidates, 0.15) == [2, 0, 4]
    assert candidates.is_sorted


@either_way
@examples(40)
@given(row=rows, threshold=st.floats(0.001, 0.5))
def test_tokens_below_the_threshold_stay_and_one_above_it(make: Make, row: Logits, threshold: float) -> None:
    p = exact_softmax(row)
    if np.abs(p / threshold - 1).min() < 1e-5:
        return  # which side of the threshold it is on is a matter of rounding
    kept = exclude(make(row), threshold)
    top = (p >= threshold).nonzero()[0].tolist()
    assert {token for token in range(row.size) if p[token] < threshold} <= set(kept)
    of_the_top = [token for token in kept if token in top]
    assert len(of_the_top) == min(len(top), 1)
    assert all(p[token] <= p[top].min() * (1 + 1e-5) for token in of_the_top)


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_it_happens_as_often_as_its_probability_says(probability: float) -> None:
    """4,000 times with a fixed seed; more than 4 standard deviations off is 1 in 16,000."""
    n = 4000
    xtc = Xtc(probability, 0.15, 0, np.random.default_rng(3))
    happened = 0
    for _ in range(n):
        candidates = listed_row(ROW)
        xtc(candidates)
        happened += len(candidates) < ROW.size
    assert abs(happened - n * probability) < 4 * math.sqrt(n * probability * (1 - probability))
