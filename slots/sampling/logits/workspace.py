"""A row of logits folded into columns."""

import numpy as np
import numpy.typing as npt

Floats32 = npt.NDArray[np.float32]
Floats64 = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

_DEPTH = 32
"""Values in a column: about as many as make it cheap both to fold a row and to look into a few columns."""
_LEAST_COLUMNS = 64
_FOLD_AGAIN = 16
"""Maxima that are folded into one where few of them are looked for."""


def n_columns(n_values: int) -> int:
    """How many columns a row of some size is folded into: a power of 2."""
    return max(1 << (n_values // _DEPTH).bit_length() - 1, _LEAST_COLUMNS) if n_values >= _DEPTH else _LEAST_COLUMNS


class FoldedRow:
    """The largest value of each column of a folded row. Few columns have the large values of a row, so that the others
    need not be looked into to find those."""

    __slots__ = ("_folded", "_rest", "maxima")

    def __init__(self, row: Floats32, maxima: Floats32) -> None:
        """`maxima` is a buffer, float32 of shape (columns,); a row that is shorter than that has no columns."""
        n = row.size - row.size % maxima.size
        self._folded = row[:n].reshape(-1, maxima.size)
        self._rest = row[n:]
        self.maxima = np.maximum.reduce(self._folded, axis=0, out=maxima)
        if self._rest.size:
            folded_rest = maxima[: self._rest.size]
            np.maximum(folded_rest, self._rest, out=folded_rest)

    def max(self) -> float:
        """The largest value of the row."""
        return float(np.maximum.reduce(self.maxima))

    def kth_largest_bound(self, k: int) -> float:
        """A lower bound for the k-th largest value of the row, k up to the number of columns.

        Each of k columns has a value that is as large as the k-th largest maximum. For a small k this holds for the
        maxima folded again, too.
        """
        maxima = self.maxima
        while maxima.size > _FOLD_AGAIN * 4 * k:
            maxima = np.maximum.reduce(maxima.reshape(_FOLD_AGAIN, -1), axis=0)
        place = maxima.size - k
        return float(np.partition(maxima, place)[place])

    def indices_at_least(self, bound: float) -> Indices | None:
        """The indices of the values from `bound` on, ascending; None where so many columns have one that it is
        better to look at the whole row."""
        columns = (self.maxima >= bound).nonzero()[0]
        if 8 * columns.size > self.maxima.size:
            return None
        hits = (self._folded.take(columns, axis=1) >= bound).ravel().nonzero()[0]
        depths = hits // max(columns.size, 1)
        found: Indices = depths * self.maxima.size + columns[hits - depths * columns.size]
        if self._rest.size:
            rest = (self._rest >= bound).nonzero()[0]
            if rest.size:
                return np.concatenate((found, rest + self._folded.size))
        return found


class Workspace:
    """Buffers that are kept from token to token, so that none is allocated for each. They belong to a part of the rows,
    which one thread works on."""

    def __init__(self, n_vocab: int) -> None:
        self._doubles: Floats64 | None = None
        self.scaled = np.empty(n_vocab, np.float32)
        """Logits at another temperature."""
        self.shifted = np.empty(n_vocab, np.float32)
        self.weights = np.empty(n_vocab, np.float32)
        """With the one above, what a softmax consists of."""
        self.scratch = np.empty(n_vocab, np.float32)
        self.mask = np.empty(n_vocab, np.bool_)
        self.maxima = np.empty(n_columns(n_vocab), np.float32)

    def float64_buffers(self) -> Floats64:
        """Two buffers of 64-bit numbers, shape (2, vocabulary), which few samplers need."""
        if self._doubles is None:
            self._doubles = np.empty((2, self.scaled.size))
        return self._doubles
