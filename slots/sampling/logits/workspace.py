"""Workspace: reused buffers for one row of logits, and the folded row, which speeds up searches in it."""

import numpy as np
import numpy.typing as npt

Floats32 = npt.NDArray[np.float32]
Floats64 = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

_DEPTH = 32  # values per column: both folding a row and looking into a few columns are cheap then
_MIN_COLUMNS = 64
_REFOLD = 16  # maxima that are folded into one again for a small k


def n_columns(n_values: int) -> int:
    """Return how many columns a row of some size is folded into: a power of 2."""
    return max(1 << (n_values // _DEPTH).bit_length() - 1, _MIN_COLUMNS) if n_values >= _DEPTH else _MIN_COLUMNS


class FoldedRow:
    """A row as a matrix, with the maximum of each column. The large values are in few columns, so that a search can
    skip the others."""

    __slots__ = ("_matrix", "_rest", "maxima")

    def __init__(self, row: Floats32, maxima: Floats32) -> None:
        n = row.size - row.size % maxima.size
        self._matrix = row[:n].reshape(-1, maxima.size)
        self._rest = row[n:]
        self.maxima = np.maximum.reduce(self._matrix, axis=0, out=maxima)
        if self._rest.size:
            folded_rest = maxima[: self._rest.size]
            np.maximum(folded_rest, self._rest, out=folded_rest)

    def max(self) -> float:
        return float(np.maximum.reduce(self.maxima))

    def kth_largest_bound(self, k: int) -> float:
        """A lower bound of the k-th largest value of the row, for k up to the number of columns.

        k columns have a value as large as the k-th largest maximum. The same is true of maxima that are folded again,
        which is done for a small k.
        """
        maxima = self.maxima
        while maxima.size > _REFOLD * 4 * k:
            maxima = np.maximum.reduce(maxima.reshape(_REFOLD, -1), axis=0)
        kth = maxima.size - k
        return float(np.partition(maxima, kth)[kth])

    def indices_at_least(self, bound: float) -> Indices | None:
        """Return the indices of the values >= `bound`, ascending; None if they are in so many columns that searching
        the full row is faster."""
        columns = (self.maxima >= bound).nonzero()[0]
        if 8 * columns.size > self.maxima.size:
            return None
        hits = (self._matrix.take(columns, axis=1) >= bound).ravel().nonzero()[0]
        depths = hits // max(columns.size, 1)
        indices: Indices = depths * self.maxima.size + columns[hits - depths * columns.size]
        if self._rest.size:
            rest = (self._rest >= bound).nonzero()[0]
            if rest.size:
                return np.concatenate((indices, rest + self._matrix.size))
        return indices


class Workspace:
    """Buffers that are reused for each token. A workspace belongs to one thread."""

    def __init__(self, n_vocab: int) -> None:
        self._float64_buffers: Floats64 | None = None
        self.scaled = np.empty(n_vocab, np.float32)  # logits divided by the temperature
        self.shifted = np.empty(n_vocab, np.float32)  # logits less their maximum, in a softmax
        self.weights = np.empty(n_vocab, np.float32)  # their exponentials
        self.scratch = np.empty(n_vocab, np.float32)
        self.mask = np.empty(n_vocab, np.bool_)
        self.maxima = np.empty(n_columns(n_vocab), np.float32)

    def float64_buffers(self) -> Floats64:
        """Two buffers, shape (2, vocabulary), allocated on first use because few samplers need them."""
        if self._float64_buffers is None:
            self._float64_buffers = np.empty((2, self.scaled.size))
        return self._float64_buffers
