import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slots.llama import Logits
from slots.sampling.top_k import largest

logit = st.one_of(st.floats(-40, 40, width=32), st.sampled_from([0.0, 1.0, -np.inf]))


def obvious(row: Logits, k: int) -> list[int]:
    """The definition: sort by logit, then by id."""
    return sorted(range(row.size), key=lambda i: (-row[i], i))[:k]


@given(st.lists(logit, min_size=1, max_size=40), st.integers(1, 50))
def test_a_short_row_gives_its_largest_logits_in_order(row: list[float], k: int) -> None:
    logits = np.array(row, np.float32)
    assert largest(logits, k).tolist() == obvious(logits, k)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2048, 5000, 9973]), st.integers(1, 2500), st.booleans())
def test_a_long_row_gives_the_same_as_sorting_it(seed: int, size: int, k: int, with_ties: bool) -> None:
    row = np.random.default_rng(seed).standard_normal(size).astype(np.float32)
    if with_ties:
        row = np.round(row)
    assert largest(row, k).tolist() == obvious(row, k)


@pytest.mark.parametrize("size", [10, 5000])
def test_a_row_that_is_all_but_ruled_out_gives_what_is_left_first(size: int) -> None:
    row = np.full(size, -np.inf, np.float32)
    row[7] = 1.0
    assert largest(row, 3).tolist() == [7, 0, 1]


def test_more_than_the_row_has_is_the_whole_row() -> None:
    assert largest(np.array([1, 3, 2], np.float32), 10).tolist() == [1, 2, 0]
