"""The largest logits of several rows, against those of each row alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.sampling.columns import n_columns
from slots.sampling.selection import largest
from slots.sampling.table import MOST_TOKENS, largest_of_rows, n_columns_for
from slots.sampling.workspace import Workspace
from tests.slots.sampling.made_up import KINDS, examples, make_row


@examples(60)
@given(
    seed=st.integers(0, 1000),
    size=st.sampled_from([700, 3_000, 3_072, 20_001]),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=5),
    ks=st.lists(st.integers(1, 60), min_size=5, max_size=5),
    step=st.sampled_from([1, 2]),
)
def test_each_row_has_its_own_largest_logits(seed: int, size: int, kinds: list[str], ks: list[int], step: int) -> None:
    """Or rows are so much alike that they are left to be looked at alone."""
    logits = np.stack([make_row(seed + number, size, kind) for number, kind in enumerate(kinds)])
    rows = np.arange(0, len(kinds), step)
    n = n_columns_for(size, n_columns(size), max(ks))
    assert n is not None
    table = largest_of_rows(logits, rows, np.array(ks[: rows.size]), n)
    if table is None:
        assert {"flat", "zeros", "tied", "narrow", "barred", "one possible", "ascending"} & set(kinds)
        return
    for number, (row, k) in enumerate(zip(rows, ks, strict=False)):
        expected = largest(logits[row], k, Workspace(size))
        assert table.tokens[number][table.is_candidate[number]].tolist() == expected.tolist()
        assert table.logits[number, :k].tolist() == logits[row][expected].tolist()
        assert (table.logits[number, k:] == -np.inf).all()


def test_normal_rows_are_not_left_to_be_looked_at_alone() -> None:
    logits = np.stack([make_row(seed, 20_000, "normal") for seed in range(4)])
    assert largest_of_rows(logits, np.arange(4), np.full(4, 40), n_columns(20_000)) is not None


def test_equal_rows_are() -> None:
    assert largest_of_rows(np.zeros((2, 20_000), np.float32), np.arange(2), np.full(2, 40), 512) is None


@pytest.mark.parametrize(
    ("n_vocab", "k", "n"), [(151_936, 40, 4096), (151_936, 512, 4096), (3_072, 40, 256), (400, 60, None), (100, 1, 64)]
)
def test_there_are_columns_enough_for_each_token_that_is_looked_for(n_vocab: int, k: int, n: int | None) -> None:
    assert n_columns_for(n_vocab, n_columns(n_vocab), k) == (n if n is None or 2 * n <= n_vocab else None)


def test_a_vocabulary_whose_tokens_do_not_fit_into_a_key_has_none() -> None:
    assert n_columns_for(MOST_TOKENS + 1, 4096, 40) is None
