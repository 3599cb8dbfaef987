import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from slots.sampling.truncation import SortedLogits, keep_min_p, keep_top_p

sorted_logits = st.lists(st.floats(-20, 20), min_size=1, max_size=30).map(lambda row: np.array(sorted(row)[::-1]))


def logits_of(*probabilities: float) -> SortedLogits:
    return np.array([math.log(probability) for probability in probabilities])


def test_top_p_keeps_the_fewest_tokens_that_have_the_mass() -> None:
    row = logits_of(0.5, 0.3, 0.15, 0.05)
    assert keep_top_p(row, 0.4) == 1
    assert keep_top_p(row, 0.6) == 2
    assert keep_top_p(row, 0.9) == 3
    assert keep_top_p(row, 0.96) == 4


def test_top_p_of_one_keeps_all_and_of_zero_keeps_one() -> None:
    row = logits_of(0.5, 0.5)
    assert keep_top_p(row, 1.0) == 2
    assert keep_top_p(row, 0.0) == 1


def test_min_p_keeps_what_is_likely_enough_beside_the_most_likely() -> None:
    row = logits_of(0.5, 0.3, 0.15, 0.05)
    assert keep_min_p(row, 0.05) == 4
    assert keep_min_p(row, 0.25) == 3
    assert keep_min_p(row, 0.59) == 2
    assert keep_min_p(row, 1.0) == 1


def test_min_p_of_zero_keeps_all() -> None:
    assert keep_min_p(logits_of(0.9, 1e-9), 0.0) == 2


@given(sorted_logits, st.floats(0, 1))
def test_what_top_p_keeps_has_the_mass_and_one_token_less_has_not(row: SortedLogits, p: float) -> None:
    probabilities = np.exp(row - row[0]) / np.exp(row - row[0]).sum()
    kept = keep_top_p(row, p)
    assert 1 <= kept <= row.size
    assert probabilities[:kept].sum() >= p - 1e-9
    assert kept == 1 or probabilities[: kept - 1].sum() < p + 1e-9


@given(sorted_logits, st.floats(1e-6, 1))
def test_what_min_p_keeps_reaches_the_threshold_and_the_rest_does_not(row: SortedLogits, p: float) -> None:
    kept = keep_min_p(row, p)
    ratios = np.exp(row - row[0])
    assert (ratios[1:kept] >= p * (1 - 1e-9)).all()
    assert (ratios[kept:] <= p * (1 + 1e-9)).all()
