"""The candidates of several rows side by side, against a sort of each row."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from slots.sampling.candidate_table import LogitEntries, RowCounts, build_table
from tests.slots.sampling.factories import KINDS, examples, make_row, tokens_by_logit


@examples(100)
@given(
    seed=st.integers(0, 1000),
    size=st.integers(60, 400),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=5),
    ks=st.lists(st.integers(1, 60), min_size=5, max_size=5),
)
def test_each_row_has_its_own_largest_candidates(seed: int, size: int, kinds: list[str], ks: list[int]) -> None:
    """In any order of the entries."""
    logits = np.stack([make_row(seed + number, size, kind) for number, kind in enumerate(kinds)])
    ks = ks[: len(kinds)]
    numbers, tokens = np.divmod(np.random.default_rng(seed).permutation(logits.size), size)
    table = build_table(LogitEntries(numbers, tokens, logits[numbers, tokens]), RowCounts(np.array(ks)))
    for number, k in enumerate(ks):
        expected = tokens_by_logit(logits[number])[:k]
        assert table.tokens[number][table.is_candidate[number]].tolist() == expected
        assert table.logits[number, :k].tolist() == logits[number][expected].tolist()
        assert (table.logits[number, k:] == -np.inf).all()
