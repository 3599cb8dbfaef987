import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.llama import Logits
from slots.sampling.logits.workspace import FoldedRow, n_columns
from tests.slots.sampling.factories import examples, row_strategy

rows = row_strategy(st.one_of(st.integers(256, 700), st.sampled_from([4096, 16_384, 17_001, 40_000])))
sizes = st.sampled_from([64, 128, 256])


def fold(row: Logits, size: int) -> FoldedRow:
    return FoldedRow(row, np.full(size, 99.0, np.float32))


@examples(40)
@given(rows, sizes)
def test_the_peak_is_the_largest_value(row: Logits, size: int) -> None:
    assert fold(row, size).max() == row.max()


@examples(50)
@given(rows, sizes, st.data())
def test_the_bound_is_reached_by_as_many_values_as_asked_for(row: Logits, size: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, size))
    assert np.count_nonzero(row >= fold(row, size).kth_largest_bound(k)) >= k


@examples(50)
@given(rows, sizes, st.data())
def test_the_values_from_a_bound_on_are_found_or_the_row_is_to_be_looked_through(
    row: Logits, size: int, data: st.DataObject
) -> None:
    a_value = st.integers(0, row.size - 1).map(lambda place: float(row[place]))
    bound = data.draw(st.one_of(a_value, st.just(float(row.max())), st.floats(-45, 45)))
    found = fold(row, size).indices_at_least(bound)
    if found is not None:
        assert found.tolist() == (row >= np.float32(bound)).nonzero()[0].tolist()


def test_a_few_large_values_are_found_without_looking_through_the_row() -> None:
    """Also if the last row of the matrix is incomplete."""
    row = np.zeros(1000, np.float32)
    row[[3, 67, 400, 999]] = [5, 6, 7, 8]
    found = fold(row, 64).indices_at_least(5.0)
    assert found is not None
    assert found.tolist() == [3, 67, 400, 999]


def test_a_bound_that_no_value_reaches_finds_nothing() -> None:
    found = fold(np.zeros(1000, np.float32), 64).indices_at_least(1.0)
    assert found is not None
    assert found.size == 0


@pytest.mark.parametrize("n_values", [1, 31, 32, 16_384, 40_000, 152_064, 262_144])
def test_a_row_has_a_power_of_2_of_columns_and_about_32_values_in_each(n_values: int) -> None:
    n = n_columns(n_values)
    assert n & (n - 1) == 0
    assert n == 64 or 32 <= n_values / n < 64
