"""The largest values of a row, against a stable sort."""

import resource
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.llama import Logits
from slots.sampling.logits import top_k_kernel
from slots.sampling.logits.kernels import IS_COMPILED
from slots.sampling.logits.search import top_k_indices
from slots.sampling.logits.workspace import Workspace
from tests.slots.sampling.factories import KINDS, examples, make_row, tokens_by_logit, with_compiled_part


def top_k(row: Logits, k: int) -> list[int] | None:
    """The tokens that the kernel finds; None if a logit is NaN."""
    tokens = np.empty(k, np.intp)
    n = top_k_kernel.top_k(row, tokens)
    return None if n < 0 else tokens[:n].tolist()


def test_what_is_compiled_is_there_where_the_tests_run() -> None:
    assert IS_COMPILED


@examples(300)
@given(
    seed=st.integers(0, 1000),
    size=st.sampled_from([1, 7, 100, 255, 256, 400, 700, 2_048, 3_000, 3_072, 20_001, 70_000]),
    kind=st.sampled_from(KINDS),
    k=st.integers(1, 64),
)
def test_they_are_those_of_a_stable_sort(seed: int, size: int, kind: str, k: int) -> None:
    row = make_row(seed, size, kind)
    assert top_k(row, k) == tokens_by_logit(row)[:k]


@pytest.mark.parametrize(("size", "k"), [(4_096, 128), (32_000, 1_000), (152_000, 1), (152_000, 512), (152_000, 4_750)])
def test_k_may_be_large(size: int, k: int) -> None:
    row = make_row(1, size, "normal")
    assert top_k(row, k) == tokens_by_logit(row)[:k]


@pytest.mark.parametrize(("size", "k"), [(1_300, 40), (1_300, 400)])
def test_a_logit_that_is_not_a_number_is_told_at_any_index(size: int, k: int) -> None:
    row = make_row(1, size, "normal")
    assert top_k(row, k) is not None
    for place in range(size):
        with_it = row.copy()
        with_it[place] = np.nan
        assert top_k(with_it, k) is None


@pytest.mark.parametrize("k", [1, 2, 3])
def test_many_equal_logits_may_be_behind_others(k: int) -> None:
    """As many as there is room for are found just before the end of the row."""
    row = np.ones(1_279, np.float32)
    row[783:1_024:16] = 0
    for _ in range(50):
        assert top_k(row, k) == list(range(k))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems count memory in other units")
@pytest.mark.parametrize("is_number", [True, False])
def test_memory_is_given_back(is_number: bool) -> None:
    row = make_row(1, 70_000, "normal")
    if not is_number:
        row[5] = np.nan
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(1_000):
        assert (top_k(row, 4) is not None) is is_number
    used_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert used_kib < 20_000, "all buffers together have 40 MB"


def test_logits_may_be_infinite() -> None:
    row = make_row(1, 20_000, "normal")
    row[77], row[78] = np.inf, -np.inf
    assert top_k(row, 2) == tokens_by_logit(row)[:2]


def test_rows_that_may_not_be_written_to_are_read() -> None:
    row = make_row(1, 20_000, "normal")
    row.flags.writeable = False
    assert top_k(row, 3) == tokens_by_logit(row)[:3]


@pytest.fixture(params=[True, False], ids=["compiled", "not compiled"])
def either_way(request: pytest.FixtureRequest) -> Iterator[None]:
    with with_compiled_part(enabled=request.param):
        yield


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(("size", "k"), [(1, 1), (20, 40), (700, 40), (700, 600), (20_000, 40), (20_000, 9_000)])
def test_of_a_row_with_a_nan_no_index_is_returned(size: int, k: int) -> None:
    row, workspace = make_row(1, size, "normal"), Workspace(size)
    assert top_k_indices(row, k, workspace).tolist() == tokens_by_logit(row)[:k]
    row[size // 2] = np.nan
    assert top_k_indices(row, k, workspace).size == 0
