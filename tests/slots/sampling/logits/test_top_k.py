"""The largest logits of several rows, against a stable sort of each."""

import resource
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.llama import Logits
from slots.sampling.logits import top_k_kernel
from slots.sampling.logits.top_k import IS_COMPILED, top_k_rows
from slots.sampling.logits.workspace import Floats32, Indices
from tests.slots.sampling.factories import KINDS, examples, make_row, tokens_by_logit, with_compiled_part


def top_k(logits: Logits, rows: list[int], ks: list[int], n_threads: int = 1) -> tuple[Indices, Floats32] | None:
    return top_k_rows(logits, np.array(rows), np.array(ks), n_threads)


def test_what_is_compiled_is_there_where_the_tests_run() -> None:
    assert IS_COMPILED


@examples(200)
@given(
    seed=st.integers(0, 1000),
    size=st.sampled_from([2_048, 3_000, 3_072, 20_001, 70_000]),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=5),
    ks=st.lists(st.integers(1, 64), min_size=5, max_size=5),
    step=st.sampled_from([1, 2]),
)
def test_each_row_has_its_own_largest_logits(seed: int, size: int, kinds: list[str], ks: list[int], step: int) -> None:
    logits = np.stack([make_row(seed + number, size, kind) for number, kind in enumerate(kinds)])
    rows = list(range(0, len(kinds), step))
    ks = ks[: len(rows)]
    result = top_k(logits, rows, ks)
    assert result is not None
    tokens, values = result
    assert tokens.shape == values.shape == (len(rows), max(ks))
    for number, (row, k) in enumerate(zip(rows, ks, strict=True)):
        assert tokens[number, :k].tolist() == tokens_by_logit(logits[row])[:k]
        assert values[number, :k].tolist() == logits[row][tokens[number, :k]].tolist()
        assert (values[number, k:] == -np.inf).all()
        assert (tokens[number, k:] == 0).all()


@pytest.mark.parametrize(("size", "k"), [(4_096, 128), (32_000, 1_000), (152_000, 1), (152_000, 512), (152_000, 4_750)])
def test_k_may_be_as_large_as_a_32nd_of_a_row(size: int, k: int) -> None:
    logits = make_row(1, size, "normal")[None]
    result = top_k(logits, [0], [k])
    assert result is not None
    assert result[0][0].tolist() == tokens_by_logit(logits[0])[:k]


def test_a_logit_that_is_not_a_number_leaves_rows_to_be_looked_at_alone() -> None:
    """At any index."""
    logits = np.stack([make_row(seed, 1_300, "normal") for seed in range(2)])
    assert top_k(logits, [0, 1], [40, 40]) is not None
    for place in range(logits.shape[1]):
        with_it = logits.copy()
        with_it[1, place] = np.nan
        assert top_k(with_it, [0, 1], [40, 40]) is None


@pytest.mark.parametrize("k", [1, 2, 3])
def test_many_equal_logits_may_be_behind_others(k: int) -> None:
    """As many as there is room for are result just before the end of the row."""
    row = np.ones(1_279, np.float32)
    row[783:1_024:16] = 0
    for _ in range(50):
        result = top_k(row[None], [0], [k])
        assert result is not None
        assert result[0][0].tolist() == list(range(k))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems count memory in other units")
@pytest.mark.parametrize("is_number", [True, False])
def test_memory_is_given_back(is_number: bool) -> None:
    logits = make_row(1, 70_000, "normal")[None]
    if not is_number:
        logits[0, 5] = np.nan
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(1_000):
        assert (top_k(logits, [0], [4]) is not None) is is_number
    used_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert used_kib < 20_000, "all buffers together have 40 MB"


def test_the_largest_logit_may_be_infinite() -> None:
    logits = make_row(1, 20_000, "normal")[None]
    logits[0, 77] = np.inf
    result = top_k(logits, [0], [2])
    assert result is not None
    assert result[0][0].tolist() == tokens_by_logit(logits[0])[:2]


@pytest.mark.parametrize(("size", "k"), [(1, 1), (7, 1), (100, 60), (255, 1), (400, 60), (700, 33)])
def test_short_rows_are_left_to_be_looked_at_alone(size: int, k: int) -> None:
    logits = np.stack([make_row(seed, size, "normal") for seed in range(2)])
    assert top_k(logits, [0, 1], [k, k]) is None


def test_many_rows_are_the_same_on_several_cores_as_on_one() -> None:
    logits = np.stack([make_row(seed, 50_000, KINDS[seed % len(KINDS)]) for seed in range(17)])
    here, there = (top_k(logits, list(range(17)), [40] * 17, n_threads) for n_threads in (1, 3))
    assert here is not None
    assert there is not None
    assert here[0].tolist() == there[0].tolist()
    assert here[1].tolist() == there[1].tolist()


def test_rows_that_may_not_be_written_to_are_read() -> None:
    logits = make_row(1, 20_000, "normal")[None]
    logits.flags.writeable = False
    assert top_k(logits, [0], [3]) is not None


def test_without_what_is_compiled_rows_are_left_to_be_looked_at_alone() -> None:
    with with_compiled_part(enabled=False):
        assert top_k(np.zeros((2, 20_000), np.float32), [0, 1], [1, 1]) is None


@pytest.mark.parametrize(("rows", "ks"), [([2], [1]), ([-1], [1]), ([0], [0]), ([0], [4])])
def test_what_is_compiled_refuses_rows_and_ks_beyond_the_arrays(rows: list[int], ks: list[int]) -> None:
    tokens, values = np.empty((1, 3), np.intp), np.empty((1, 3), np.float32)
    with pytest.raises(ValueError, match="expected a row of 2 and a k from 1 to 3"):
        top_k_kernel.top_k_rows(np.zeros((2, 1_024), np.float32), np.array(rows), np.array(ks), tokens, values, 1)


@pytest.mark.parametrize(
    ("n_rows", "n_ks", "tokens", "values"),
    [
        (1, 1, (2, 3), (1, 3)),
        (1, 1, (1, 3), (2, 3)),
        (1, 1, (1, 3), (1, 2)),
        (1, 1, (1, 2), (1, 3)),
        (1, 2, (1, 3), (1, 3)),
        (2, 1, (2, 3), (2, 3)),
        (2, 2, (1, 3), (1, 3)),
    ],
)
def test_what_is_compiled_refuses_arrays_that_do_not_fit_each_other(
    n_rows: int, n_ks: int, tokens: tuple[int, int], values: tuple[int, int]
) -> None:
    rows, ks = np.zeros(n_rows, np.intp), np.ones(n_ks, np.intp)
    with pytest.raises(ValueError, match="expected as many ks, tokens and logits as rows"):
        top_k_kernel.top_k_rows(
            np.zeros((2, 1_024), np.float32), rows, ks, np.empty(tokens, np.intp), np.empty(values, np.float32), 1
        )
