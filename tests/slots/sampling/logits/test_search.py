import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.llama import Logits
from slots.sampling.logits.search import argsort_descending, indices_at_least, top_k_indices
from slots.sampling.logits.workspace import Workspace
from tests.slots.sampling.factories import examples, rows, tokens_by_logit, with_compiled_part

counts = st.one_of(st.integers(1, 60), st.sampled_from([128, 500, 600, 2500, 5000, 20_000, 39_999, 40_000, 50_000]))
"""Around the sizes at which the method changes, and beyond the row."""


@examples(150)
@given(rows, counts)
def test_the_largest_values_are_the_first_ones_of_a_stable_sort(row: Logits, k: int) -> None:
    """With and without the compiled part."""
    for is_there in (True, False):
        with with_compiled_part(enabled=is_there):
            assert top_k_indices(row, k, Workspace(row.size)).tolist() == tokens_by_logit(row)[:k]


@pytest.mark.parametrize("is_compiled", [True, False])
@pytest.mark.parametrize("k", [1, 100, 16_384, 16_385, 100_000, 140_000, 152_063])
def test_so_they_are_of_the_longest_rows_for_any_k(k: int, is_compiled: bool) -> None:
    row = np.random.default_rng(3).standard_normal(152_064).astype(np.float32)
    with with_compiled_part(enabled=is_compiled):
        assert top_k_indices(row, k, Workspace(row.size)).tolist() == tokens_by_logit(row)[:k]


@examples(50)
@given(rows)
def test_descending_is_a_stable_sort(row: Logits) -> None:
    assert argsort_descending(row).tolist() == tokens_by_logit(row)


@examples(50)
@given(rows, st.data())
def test_at_least_finds_the_values_from_a_bound_on(row: Logits, data: st.DataObject) -> None:
    a_value = st.integers(0, row.size - 1).map(lambda place: float(row[place]))
    bound = data.draw(st.one_of(a_value, st.floats(-45, 45), st.just(-np.inf)))
    expected = [place for place, value in enumerate(row.tolist()) if value >= np.float32(bound)]
    assert indices_at_least(row, bound, Workspace(row.size)).tolist() == expected


@pytest.mark.parametrize("size", [4, 1000, 40_000])
def test_the_two_zeros_are_equal(size: int) -> None:
    row = np.full(size, -0.0, np.float32)
    row[size // 2] = 0.0
    assert top_k_indices(row, 2, Workspace(size)).tolist() == [0, 1]
    assert argsort_descending(row).tolist() == list(range(size))


@pytest.mark.parametrize("size", [10, 1000, 40_000])
def test_values_of_minus_infinity_come_last_and_the_lower_index_first(size: int) -> None:
    row = np.full(size, -np.inf, np.float32)
    row[7] = -3e38
    assert top_k_indices(row, 3, Workspace(size)).tolist() == [7, 0, 1]


def test_a_buffer_that_was_used_for_a_longer_row_changes_nothing() -> None:
    workspace = Workspace(40_000)
    top_k_indices(np.full(40_000, 9.0, np.float32), 5000, workspace)
    row = np.array([1, 3, 2, 3], np.float32)
    assert top_k_indices(row, 2, workspace).tolist() == [1, 3]
    assert indices_at_least(row, 2, workspace).tolist() == [1, 2, 3]
