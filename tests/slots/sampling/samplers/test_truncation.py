"""Truncation samplers against their definitions, with the full row sorted in 64 bits."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.llama import Logits
from slots.sampling.logits.candidates import Candidates
from slots.sampling.samplers.truncation import keep_min_p, keep_top_k, keep_top_n_sigma, keep_top_p
from tests.slots.sampling.factories import exact_softmax, examples, get_tokens, make_logits, rows, tokens_by_logit
from tests.slots.sampling.llama_cpp.oracle import full_row, listed_row

ROUNDING = 1e-6

either_way = pytest.mark.parametrize("make", [full_row, listed_row])
shares = st.one_of(st.floats(0, 1, exclude_max=True), st.sampled_from([0.0, 0.5, 0.95, 0.999999]))
at_leasts = st.sampled_from([0, 1, 2, 7, 129, 10**9])

Make = Callable[[Logits], Candidates]


@either_way
@examples(40)
@given(row=rows, k=st.one_of(st.integers(1, 50), st.sampled_from([600, 5000, 50_000])))
def test_top_k_keeps_the_first_k_in_order(make: Make, row: Logits, k: int) -> None:
    candidates = make(row)
    keep_top_k(candidates, k)
    assert get_tokens(candidates) == tokens_by_logit(row)[:k]


@either_way
@examples(40)
@given(row=rows, p=shares, min_keep=at_leasts)
def test_top_p_keeps_the_fewest_of_the_first_that_have_the_mass(
    make: Make, row: Logits, p: float, min_keep: int
) -> None:
    candidates = make(row)
    keep_top_p(candidates, p, min_keep)
    order, n = tokens_by_logit(row), len(candidates)
    assert get_tokens(candidates) == order[:n]
    mass = exact_softmax(row)[order].cumsum()
    assert n >= min(max(min_keep, 1), row.size)
    assert mass[n - 1] >= p * (1 - ROUNDING)
    assert n <= max(min_keep, 1) or mass[n - 2] < p * (1 + ROUNDING)


@either_way
@examples(40)
@given(row=rows, p=st.one_of(st.floats(1e-9, 1), st.sampled_from([1e-300, 0.05, 1.0])), min_keep=at_leasts)
def test_min_p_keeps_what_is_likely_enough_beside_the_most_likely(
    make: Make, row: Logits, p: float, min_keep: int
) -> None:
    candidates = make(row)
    keep_min_p(candidates, p, min_keep)
    bound = float(row.max()) + math.log(p)
    assert_keeps_from(bound, 1e-5 * max(abs(bound), 1), min_keep, row, candidates)


@either_way
@examples(40)
@given(row=rows, n=st.one_of(st.floats(0.01, 5), st.sampled_from([1e-30, 1.0, 1e30])))
def test_top_n_sigma_keeps_what_is_at_most_n_standard_deviations_below_the_largest_logit(
    make: Make, row: Logits, n: float
) -> None:
    candidates = make(row)
    keep_top_n_sigma(candidates, n)
    possible = row[row > -np.inf].astype(np.float64)
    bound = float(row.max()) - n * float(possible.std())
    assert_keeps_from(bound, 1e-5 * max(abs(bound), n, 1), 1, row, candidates)


def assert_keeps_from(bound: float, rounding: float, min_keep: int, row: Logits, candidates: Candidates) -> None:
    """Exactly the first tokens with logits >= bound are kept, but at least `min_keep`."""
    order, n = tokens_by_logit(row), len(candidates)
    assert sorted(get_tokens(candidates)) == sorted(order[:n])
    assert n >= min(max(min_keep, 1), row.size)
    assert n <= max(min_keep, 1) or row[order[n - 1]] >= bound - rounding
    assert n == row.size or row[order[n]] < bound + rounding


@either_way
def test_top_p_by_the_numbers(make: Make) -> None:
    row = make_logits(0.05, 0.5, 0.15, 0.3)
    for p, kept in [(0.0, [1]), (0.4, [1]), (0.6, [1, 3]), (0.9, [1, 3, 2]), (0.96, [1, 3, 2, 0])]:
        candidates = make(row)
        keep_top_p(candidates, p, 0)
        assert get_tokens(candidates) == kept


@either_way
def test_min_p_by_the_numbers(make: Make) -> None:
    row = make_logits(0.05, 0.5, 0.15, 0.3)
    for p, kept in [(0.05, {0, 1, 2, 3}), (0.25, {1, 2, 3}), (0.59, {1, 3}), (1.0, {1})]:
        candidates = make(row)
        keep_min_p(candidates, p, 0)
        assert set(get_tokens(candidates)) == kept


@either_way
def test_top_n_sigma_counts_no_token_that_is_ruled_out(make: Make) -> None:
    """Those above -inf have a standard deviation of 1."""
    candidates = make(np.array([3.0, -np.inf, 1.0, -np.inf], np.float32))
    keep_top_n_sigma(candidates, 1.9)
    assert get_tokens(candidates) == [0]


@either_way
def test_of_equals_at_the_cut_the_lower_tokens_stay(make: Make) -> None:
    by_rank, by_mass = make(np.zeros(1000, np.float32)), make(np.zeros(1000, np.float32))
    keep_top_k(by_rank, 500)
    keep_top_p(by_mass, 0.5, 0)
    assert get_tokens(by_rank) == get_tokens(by_mass) == list(range(500))


@either_way
@pytest.mark.parametrize("size", [3_000, 20_000])
def test_of_equals_as_many_stay_as_have_the_mass(make: Make, size: int) -> None:
    """Also where they are just more than are looked at first."""
    for n in (127, 128, 129, 150, 1000):
        candidates = make(np.zeros(size, np.float32))
        keep_top_p(candidates, (n - 0.5) / size, 0)
        assert get_tokens(candidates) == list(range(n))


def test_equals_are_never_told_apart_by_min_p() -> None:
    candidates = full_row(np.array([1, 2, 2, 1], np.float32))
    keep_min_p(candidates, 1.0, 0)
    assert get_tokens(candidates) == [1, 2]


cuts = pytest.mark.parametrize(
    "cut",
    [
        lambda candidates: keep_top_k(candidates, 3),
        lambda candidates: keep_top_p(candidates, 0.9, 0),
        lambda candidates: keep_min_p(candidates, 0.1, 0),
        lambda candidates: keep_top_n_sigma(candidates, 1.0),
    ],
    ids=["top_k", "top_p", "min_p", "top_n_sigma"],
)


@cuts
@either_way
def test_one_candidate_stays(make: Make, cut: Callable[[Candidates], None]) -> None:
    candidates = make(np.array([-5.0], np.float32))
    cut(candidates)
    assert get_tokens(candidates) == [0]


@cuts
@either_way
def test_the_only_token_that_is_possible_stays(make: Make, cut: Callable[[Candidates], None]) -> None:
    row = np.full(50, -np.inf, np.float32)
    row[30] = -5.0
    candidates = make(row)
    cut(candidates)
    assert 30 in get_tokens(candidates)


@cuts
def test_what_is_sorted_already_is_cut_the_same(cut: Callable[[Candidates], None]) -> None:
    row = np.random.default_rng(1).standard_normal(200).astype(np.float32)
    as_it_is, is_sorted = listed_row(row), listed_row(row).sort()
    cut(as_it_is)
    cut(is_sorted)
    assert sorted(get_tokens(as_it_is)) == sorted(get_tokens(is_sorted))
