"""The largest logits of a row, without sorting the row."""

import numpy as np
import numpy.typing as npt

from slots.llama import Logits

_COLUMNS = 1024
"""Wide enough for the usual k, narrow enough that the columns' maxima are cheap to partition."""


def largest(row: Logits, k: int) -> npt.NDArray[np.intp]:
    """The indices of the k largest logits, largest first, the lower index first among equals.

    Exact for any row. The row is folded into columns: the k-th largest of the columns' maxima is a lower bound for
    the k-th largest logit, and only what reaches it is sorted.
    """
    if k >= row.size:
        return _descending(row, np.arange(row.size))
    bound = _lower_bound(row, k)
    return _descending(row, np.flatnonzero(row >= bound))[:k]


def _lower_bound(row: Logits, k: int) -> float:
    if k > _COLUMNS or row.size < 2 * _COLUMNS:
        return float(np.partition(row, row.size - k)[row.size - k])
    folded = row[: row.size - row.size % _COLUMNS].reshape(-1, _COLUMNS)
    return float(np.partition(folded.max(axis=0), _COLUMNS - k)[_COLUMNS - k])


def _descending(row: Logits, indices: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    return indices[np.argsort(-row[indices], kind="stable")]
