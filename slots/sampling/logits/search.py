"""Finding the few large values of a long row without sorting the row. All of it is exact, for any row."""

import numpy as np
import numpy.typing as npt

from slots.sampling.logits.top_k import top_k_rows
from slots.sampling.logits.workspace import Floats32, FoldedRow, Indices, Workspace

Floats = Floats32 | npt.NDArray[np.float64]

MIN_FOLDED_SIZE = 16_384
"""Values of a row that is worth folding."""
_FIRST = np.zeros(1, np.intp)
_WORTH_PACKING = 400
"""Values above which sorting packed keys is faster than sorting indices."""


def top_k_indices(row: Floats32, k: int, workspace: Workspace, columns: FoldedRow | None = None) -> Indices:
    """The indices of the k largest values, largest first, the lower index first among equals.

    `columns` are those of the row where they are there already.
    """
    if k >= row.size:
        return argsort_descending(row)
    at_once = top_k_rows(row[np.newaxis], _FIRST, np.array([k]), 1)
    if at_once:
        places: Indices = at_once[0][0]
        return places
    found = _some_with_the_largest(row, k, workspace, columns)
    return found[argsort_descending(row[found])[:k]]


def _some_with_the_largest(row: Floats32, k: int, workspace: Workspace, columns: FoldedRow | None) -> Indices:
    """Few indices among which are those of the k largest values, ascending."""
    if row.size < MIN_FOLDED_SIZE or 4 * k > workspace.maxima.size:
        return _above_partition(row, k, workspace)
    folded = columns or FoldedRow(row, workspace.maxima)
    return indices_at_least(row, folded.kth_largest_bound(k), workspace, folded)


def indices_at_least(row: Floats, bound: float, workspace: Workspace, columns: FoldedRow | None = None) -> Indices:
    """The indices of the values from `bound` on, ascending; `columns` are those of the row where they are there."""
    found = columns.indices_at_least(bound) if columns else None
    if found is not None:
        return found
    mask = workspace.mask[: row.size]
    return np.greater_equal(row, bound, out=mask).nonzero()[0]


def argsort_descending(values: Floats32) -> Indices:
    """The indices that sort values from the largest, the lower index first among equals."""
    if values.size <= _WORTH_PACKING:
        return (-values).argsort(kind="stable")
    # One integer that orders by falling value, and then by index: sorting those is several times faster than a stable
    # sort of indices.
    keys = descending_key(values).astype(np.int64)
    keys <<= 32
    keys |= np.arange(values.size)
    keys.sort()
    keys &= 0xFFFFFFFF
    return keys


def descending_key(values: Floats32) -> npt.NDArray[np.int32]:
    """Integers, the smaller the larger a value is, and the same for the same values."""
    bits = np.subtract(np.float32(0.0), values).view(np.int32)  # which makes one of the two zeros
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


def _above_partition(row: Floats32, k: int, workspace: Workspace) -> Indices:
    scratch = workspace.scratch[: row.size]
    np.copyto(scratch, row)
    place = row.size - k
    scratch.partition(place)
    return indices_at_least(row, scratch[place], workspace)
