from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.errors import InvalidRequest
from slots.llama import Logits
from slots.sampling.logits.candidates import Candidates
from tests.slots.sampling.factories import exact_softmax, examples, get_tokens, make_row, rows, tokens_by_logit
from tests.slots.sampling.llama_cpp.oracle import full_row, listed_row

either_way = pytest.mark.parametrize("make", [full_row, listed_row])
ROW = np.array([1, 3, 2, 3], np.float32)

Make = Callable[[Logits], Candidates]


@examples(40)
@given(rows, st.integers(0, 2**32 - 1))
def test_sorting_puts_the_largest_logit_first_and_the_lower_token_among_equals(row: Logits, seed: int) -> None:
    shuffled = full_row(row)
    shuffled.keep(np.random.default_rng(seed).permutation(row.size))
    assert get_tokens(full_row(row).sort()) == get_tokens(shuffled.sort()) == tokens_by_logit(row)


@examples(40)
@given(rows, st.integers(0, 2**32 - 1))
def test_the_best_is_the_lowest_token_with_the_largest_logit(row: Logits, seed: int) -> None:
    shuffled = full_row(row)
    shuffled.keep(np.random.default_rng(seed).permutation(row.size))
    for candidates in (full_row(row), shuffled, full_row(row).sort()):
        assert candidates.token(candidates.argmax()) == tokens_by_logit(row)[0]


@examples(40)
@given(rows)
def test_the_softmax_is_that_of_64_bits(row: Logits) -> None:
    """Within the rounding of 32 bits, of the logits, too, if few candidates are left."""
    for candidates in (full_row(row), listed_row(row)):
        softmax = candidates.softmax()
        assert np.allclose(softmax.weights / softmax.total(), exact_softmax(row), rtol=2e-5, atol=1e-37)


@examples(40)
@given(rows)
def test_the_entropy_is_that_of_64_bits(row: Logits) -> None:
    p = exact_softmax(row)
    expected = -float((p[p > 0] * np.log(p[p > 0])).sum())
    for candidates in (full_row(row), listed_row(row)):
        assert candidates.softmax().entropy() == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("size", [1, 3, 5000])
def test_a_softmax_of_nothing_that_is_possible_is_refused(size: int) -> None:
    for candidates in (full_row(np.full(size, -np.inf, np.float32)), listed_row(np.full(size, -np.inf, np.float32))):
        with pytest.raises(InvalidRequest) as refused:
            candidates.softmax()
        assert refused.value.field == "logit_bias"


def test_tokens_are_found_wherever_they_are() -> None:
    candidates = full_row(ROW)
    candidates.keep(np.array([3, 0, 2]))
    places, which = candidates.find(np.array([2, 1, 3]))
    assert places.tolist() == [2, 0]
    assert np.arange(3)[which].tolist() == [0, 2]


def test_in_a_whole_row_the_place_of_a_token_is_the_token() -> None:
    places, which = full_row(ROW).find(np.array([2, 1]))
    assert places.tolist() == [2, 1]
    assert np.arange(2)[which].tolist() == [0, 1]


@pytest.mark.parametrize("is_sorted", [True, False])
def test_what_reaches_a_bound_stays(is_sorted: bool) -> None:
    for candidates in (full_row(ROW), listed_row(ROW)):
        if is_sorted:
            candidates.sort()
        candidates.keep_from(2.0)
        assert sorted(get_tokens(candidates)) == [1, 2, 3]


@pytest.mark.parametrize("is_sorted", [True, False])
@pytest.mark.parametrize(("min_keep", "kept"), [(1, {1, 3}), (3, {1, 2, 3}), (10**9, {0, 1, 2, 3})])
def test_a_bound_leaves_some_number_of_candidates(min_keep: int, kept: set[int], is_sorted: bool) -> None:
    for candidates in (full_row(ROW), listed_row(ROW)):
        if is_sorted:
            candidates.sort()
        candidates.keep_from(2.5, min_keep)
        assert set(get_tokens(candidates)) == kept


def test_the_original_logit_is_known_after_changes() -> None:
    candidates = full_row(ROW)
    candidates.set_logits_at(np.array([1, 2]), np.array([7.0, -np.inf]))
    candidates.set_logits_at(np.array([1]), np.array([9.0]))
    candidates.divide(2.0)
    candidates.set_logits_at(np.array([0]), np.array([5.0]))
    candidates.keep_largest(2)
    assert [candidates.raw_logit(token) for token in range(4)] == [1, 3, 2, 3]


def test_a_changed_logit_is_the_one_that_counts() -> None:
    candidates = full_row(ROW).sort()
    candidates.set_logits_at(np.array([0]), np.array([-1.0]))
    assert get_tokens(candidates.sort()) == [3, 2, 0, 1]


def test_dividing_leaves_the_row_of_the_model_alone() -> None:
    row = ROW.copy()
    candidates = listed_row(row)
    candidates.divide(2.0)
    assert row.tolist() == ROW.tolist()
    assert candidates.logits.tolist() == [0.5, 1.5, 1.0, 1.5]


@either_way
@pytest.mark.parametrize("by", [1e-300, 1e-30, 0.5, 2.0, 1e30, 3e38])
def test_logits_too_large_to_be_divided_are_told_apart_all_the_same(make: Make, by: float) -> None:
    candidates = make(np.array([1e30, -1e30, 9e29, -np.inf], np.float32))
    with np.errstate(all="ignore"):
        candidates.divide(by)
    largest, least, middle, impossible = candidates.logits.tolist()
    assert -np.inf == impossible <= least <= middle <= largest < np.inf


def test_a_row_in_which_nothing_is_possible_stays_so_when_it_is_divided() -> None:
    candidates = full_row(np.full(3, -np.inf, np.float32))
    candidates.divide(2.0)
    assert candidates.logits.tolist() == [-np.inf] * 3


def test_candidates_can_become_a_token_that_was_none() -> None:
    candidates = full_row(ROW)
    candidates.keep(np.array([1]))
    candidates.keep_only(2)
    assert get_tokens(candidates) == [2]
    assert candidates.softmax().total() == 1.0


@pytest.mark.parametrize(
    "do", [lambda candidates: candidates.keep_largest(30), lambda candidates: candidates.keep_from(3.0)]
)
def test_of_a_folded_row_the_same_candidates_are_kept(do: Callable[[Candidates], None]) -> None:
    row = make_row(5, 20_000, "tied")
    folded, plain = full_row(row), listed_row(row)
    assert folded.max_logit() == row.max()
    do(folded)
    do(plain)
    assert sorted(get_tokens(folded)) == sorted(get_tokens(plain))
    assert len(folded) < row.size


@pytest.mark.parametrize(
    ("change", "best"),
    [
        (lambda candidates: candidates.set_logits_at(np.array([9, 700]), np.array([1.0, 2.0])), 700),
        (lambda candidates: candidates.set_logits(np.arange(20_000, dtype=np.float32)), 19_999),
        (lambda candidates: candidates.divide(0.5), 9),
    ],
    ids=["set_logits_at", "set_logits", "divide"],
)
def test_what_changes_after_a_row_was_folded_counts(change: Callable[[Candidates], None], best: int) -> None:
    row = np.zeros(20_000, np.float32)
    row[9] = 5.0
    candidates = full_row(row)
    assert candidates.max_logit() == 5.0
    change(candidates)
    assert candidates.argmax() == best
    assert candidates.max_logit() == candidates.logits.max()
    candidates.keep_largest(1)
    assert get_tokens(candidates) == [best]
