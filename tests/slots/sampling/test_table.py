"""The largest logits of several rows, against those of each row alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.llama import Logits
from slots.sampling.columns import Indices
from slots.sampling.cores import Cores
from slots.sampling.folded_rows import RowFolder
from slots.sampling.selection import largest
from slots.sampling.table import Counts, Table, sorted_table
from slots.sampling.workspace import Workspace
from tests.slots.sampling.made_up import KINDS, examples, make_row

MUCH_ALIKE = {"flat", "zeros", "tied", "narrow", "barred", "one possible", "ascending"}


def largest_of_rows(logits: Logits, rows: Indices, ks: Indices) -> Table | None:
    found = RowFolder(Cores(1)).find_largest(logits, rows, ks)
    return sorted_table(found, Counts(ks)) if found else None


@examples(100)
@given(
    seed=st.integers(0, 1000),
    size=st.sampled_from([700, 3_000, 3_072, 20_001, 70_000]),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=5),
    ks=st.lists(st.integers(1, 60), min_size=5, max_size=5),
    step=st.sampled_from([1, 2]),
)
def test_each_row_has_its_own_largest_logits(seed: int, size: int, kinds: list[str], ks: list[int], step: int) -> None:
    """Or rows are so much alike that they are left to be looked at alone."""
    logits = np.stack([make_row(seed + number, size, kind) for number, kind in enumerate(kinds)])
    rows = np.arange(0, len(kinds), step)
    table = largest_of_rows(logits, rows, np.array(ks[: rows.size]))
    if table is None:
        assert MUCH_ALIKE & set(kinds)
        return
    for number, (row, k) in enumerate(zip(rows, ks, strict=False)):
        expected = largest(logits[row], k, Workspace(size))
        assert table.tokens[number][table.is_candidate[number]].tolist() == expected.tolist()
        assert table.logits[number, :k].tolist() == logits[row][expected].tolist()
        assert (table.logits[number, k:] == -np.inf).all()


@pytest.mark.parametrize(("size", "k"), [(700, 40), (4_096, 40), (20_000, 40), (152_000, 1), (152_000, 512)])
def test_normal_rows_are_not_left_to_be_looked_at_alone(size: int, k: int) -> None:
    logits = np.stack([make_row(seed, size, "normal") for seed in range(4)])
    assert largest_of_rows(logits, np.arange(4), np.full(4, k)) is not None


@pytest.mark.parametrize("place", [0, 1_000, 19_999])
def test_a_logit_that_is_not_a_number_leaves_rows_to_be_looked_at_alone(place: int) -> None:
    logits = np.stack([make_row(seed, 20_000, "normal") for seed in range(2)])
    logits[1, place] = np.nan
    assert largest_of_rows(logits, np.arange(2), np.full(2, 40)) is None


def test_equal_rows_are_left_to_be_looked_at_alone() -> None:
    assert largest_of_rows(np.zeros((2, 20_000), np.float32), np.arange(2), np.full(2, 40)) is None


@pytest.mark.parametrize(("size", "k"), [(1, 1), (7, 1), (100, 60), (400, 60)])
def test_short_rows_are_left_to_be_looked_at_alone(size: int, k: int) -> None:
    logits = np.stack([make_row(seed, size, "normal") for seed in range(2)])
    assert largest_of_rows(logits, np.arange(2), np.full(2, k)) is None


def test_rows_are_folded_on_several_cores_as_on_one() -> None:
    """Which many long ones are."""
    logits = np.stack([make_row(seed, 250_000, "normal") for seed in range(17)])
    rows, ks = np.arange(17), np.full(17, 40)
    cores = Cores(3)
    expected = RowFolder(Cores(1)).find_largest(logits, rows, ks)
    found = RowFolder(cores).find_largest(logits, rows, ks)
    cores.close()
    assert found is not None
    assert expected is not None
    assert found.tokens.tolist() == expected.tokens.tolist()
    assert found.logits.tolist() == expected.logits.tolist()
