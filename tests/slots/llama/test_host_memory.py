"""What this process has in memory."""

import sys

import numpy as np
import pytest

from slots.llama import allocated_bytes, private_bytes, release_free_memory, resident_bytes

N_BYTES = 2**26

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say")


def test_private_memory_is_a_part_of_what_is_resident() -> None:
    private, resident = private_bytes(), resident_bytes()
    assert private is not None
    assert resident is not None
    assert 0 < private < resident


def test_memory_that_is_written_to_becomes_private() -> None:
    before = private_bytes() or 0
    array = np.ones(N_BYTES, np.uint8)
    assert (private_bytes() or 0) - before > 0.9 * array.nbytes


def test_what_is_allocated_counts_until_it_is_freed() -> None:
    before = allocated_bytes()
    if before is None:
        pytest.skip("this C library does not say what is allocated")
    array = np.ones(N_BYTES, np.uint8)
    assert (allocated_bytes() or 0) - before > 0.9 * N_BYTES
    del array
    assert (allocated_bytes() or 0) - before < 0.1 * N_BYTES


def test_freed_memory_is_given_back() -> None:
    arrays = [np.ones(2**14, np.uint8) for _ in range(N_BYTES // 2**14)]
    last = np.ones(2**14, np.uint8)  # keeps the heap from shrinking by itself
    before = private_bytes() or 0
    arrays.clear()
    release_free_memory()
    assert before - (private_bytes() or 0) > 0.8 * N_BYTES
    assert last.any()
