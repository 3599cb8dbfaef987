"""Search for the largest values of a long row without sorting the row. Exact for any row."""

import numpy as np
import numpy.typing as npt

from slots.sampling.logits import kernels
from slots.sampling.logits.workspace import Floats32, FoldedRow, Indices, Workspace

Floats = Floats32 | npt.NDArray[np.float64]

MIN_FOLDED_SIZE = 16_384  # folding a shorter row is not worth it
_MIN_LOGITS_PER_K = 32  # with fewer values for each that is searched for, numpy is as fast as the kernel
_MIN_PACKED_SIZE = 400  # from here on, sorting packed keys is faster than sorting indices


def top_k_indices(row: Floats32, k: int, workspace: Workspace, folded: FoldedRow | None = None) -> Indices:
    """Return the indices of the k largest values, largest first, the lower index first among equals; none if a value is
    NaN. `folded` is the folded row, if the caller has it."""
    if kernels.IS_COMPILED and row.size >= _MIN_LOGITS_PER_K * k:
        indices = np.empty(k, np.intp)
        return indices[: max(kernels.top_k_kernel.top_k(row, indices), 0)]
    if row.size and np.isnan(np.maximum.reduce(row)):
        return np.empty(0, np.intp)
    if k >= row.size:
        return argsort_descending(row)
    superset = _top_k_superset(row, k, workspace, folded)
    return superset[argsort_descending(row[superset])[:k]]


def _top_k_superset(row: Floats32, k: int, workspace: Workspace, folded: FoldedRow | None) -> Indices:
    """A few indices, ascending, that include those of the k largest values."""
    if row.size < MIN_FOLDED_SIZE or 4 * k > workspace.maxima.size:
        return _partition(row, k, workspace)
    folded = folded or FoldedRow(row, workspace.maxima)
    return indices_at_least(row, folded.kth_largest_bound(k), workspace, folded)


def indices_at_least(row: Floats, bound: float, workspace: Workspace, folded: FoldedRow | None = None) -> Indices:
    """Return the indices of the values >= `bound`, ascending; `folded` is the folded row, if the caller has it."""
    indices = folded.indices_at_least(bound) if folded else None
    if indices is not None:
        return indices
    mask = workspace.mask[: row.size]
    return np.greater_equal(row, bound, out=mask).nonzero()[0]


def argsort_descending(values: Floats32) -> Indices:
    """Return the indices that sort values from the largest, the lower index first among equals."""
    if values.size <= _MIN_PACKED_SIZE:
        return (-values).argsort(kind="stable")
    # One integer that orders by falling value, and then by index: several times faster than a stable argsort.
    bits = np.subtract(np.float32(0.0), values).view(np.int32)  # the subtraction makes the two zeros equal
    keys = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).astype(np.int64)
    keys <<= 32
    keys |= np.arange(values.size)
    keys.sort()
    keys &= 0xFFFFFFFF
    return keys


def _partition(row: Floats32, k: int, workspace: Workspace) -> Indices:
    scratch = workspace.scratch[: row.size]
    np.copyto(scratch, row)
    kth = row.size - k
    scratch.partition(kth)
    return indices_at_least(row, scratch[kth], workspace)
