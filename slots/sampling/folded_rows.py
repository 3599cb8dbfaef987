"""Several rows of logits, folded into columns."""

from dataclasses import dataclass

import numpy as np

from slots.llama import Logits
from slots.sampling.columns import FOLD_AGAIN, Columns, Floats32, Indices
from slots.sampling.cores import Cores

_LEAST_DEPTH = 7
_MOST_DEPTH = 40
"""Values in a column. Each of those has to be looked at in the columns that are looked into."""
_FAST_COLUMNS = 4096
"""So many maxima stay in a core's first cache while a row is folded into them."""
_COLUMNS_FOR_EACH = 4
"""Columns at least for each token that is looked for."""
_MOST_REACHING = 4
"""Columns to look into for each token that is looked for; rows in which there are more are better sorted one by one."""
_WORTH_A_CORE = 2_000_000
"""Logits for each thread, from which on several are faster than one: before, they take as long to begin."""


def n_columns_for(n_vocab: int, k: int) -> int | None:
    """How many columns a row is folded into to find its k largest logits: a power of 2. None where it is too short."""
    least = _COLUMNS_FOR_EACH * k
    if n_vocab < 2 * least:
        return None
    n = max(min(n_vocab // _LEAST_DEPTH, _FAST_COLUMNS), 1)
    n = max(1 << n.bit_length() - 1, _power_of_2_from(n_vocab // _MOST_DEPTH), _power_of_2_from(least))
    return n if 2 * n <= n_vocab else None


def _power_of_2_from(n: int) -> int:
    return 1 << max(n - 1, 0).bit_length()


@dataclass(slots=True)
class Found:
    """Some of the logits of several rows. All arrays have the shape (logits,)."""

    numbers: Indices
    """The places of their rows among the rows that are looked at."""
    tokens: Indices
    logits: Floats32

    def at(self, places: Indices) -> "Found":
        """Those at some places."""
        return Found(self.numbers[places], self.tokens[places], self.logits[places])


class RowFolder:
    """Finds the large logits of the rows of a step.

    A row is folded into columns, of which the largest values are kept. A column has a large logit where it has a large
    maximum, so that few columns are looked into.
    """

    def __init__(self, cores: Cores) -> None:
        self._cores = cores
        self._maxima = np.empty(0, np.float32)

    def find_largest(self, logits: Logits, rows: Indices, ks: Indices) -> Found | None:
        """All logits from a lower bound of the `ks` largest of their rows on, in any order; `rows` are the places of
        the rows that are looked at, ascending, `rows` and `ks` of shape (rows,).

        Returns None where it is better to look at the rows one by one: when they are short, or logits are so much
        alike, or not numbers.
        """
        n_columns = n_columns_for(logits.shape[1], int(ks.max()))
        if n_columns is None:
            return None
        maxima = self._fold(logits, rows, n_columns)
        bounds = _bounds(maxima, ks)
        if bounds is None:
            return None
        reaching = (maxima >= bounds[:, None]).ravel().nonzero()[0]
        if reaching.size > _MOST_REACHING * ks.sum():
            return None
        return _look_into(logits, rows, reaching, n_columns, bounds)

    def _fold(self, logits: Logits, rows: Indices, n_columns: int) -> Floats32:
        """The maxima of the columns of each row, shape (rows, columns), until the next call."""
        if self._maxima.size < rows.size * n_columns:
            self._maxima = np.empty(rows.size * n_columns, np.float32)
        maxima = self._maxima[: rows.size * n_columns].reshape(rows.size, n_columns)
        n_parts = min(self._cores.n, max(rows.size * logits.shape[1] // _WORTH_A_CORE, 1))

        def fold_part(part: int) -> None:
            these = slice(part * rows.size // n_parts, (part + 1) * rows.size // n_parts)
            _fold_rows(logits, rows[these], maxima[these])

        self._cores.do(fold_part, n_parts)
        return maxima


def _fold_rows(logits: Logits, rows: Indices, maxima: Floats32) -> None:
    n_columns = maxima.shape[1]
    n_folded = logits.shape[1] - logits.shape[1] % n_columns
    if rows[-1] - rows[0] >= rows.size:  # not neighbours
        for number, row in enumerate(rows.tolist()):
            Columns(logits[row], maxima[number])
        return
    neighbours = logits[rows[0] : rows[-1] + 1]
    np.maximum.reduce(neighbours[:, :n_folded].reshape(rows.size, -1, n_columns), axis=1, out=maxima)
    rest = maxima[:, : logits.shape[1] - n_folded]
    np.maximum(rest, neighbours[:, n_folded:], out=rest)


def _bounds(maxima: Floats32, ks: Indices) -> Floats32 | None:
    """A lower bound for the k-th largest logit of each row, shape (rows,); None if some are not numbers."""
    while maxima.shape[1] >= FOLD_AGAIN * _COLUMNS_FOR_EACH * ks.max():
        maxima = np.maximum.reduce(maxima.reshape(ks.size, FOLD_AGAIN, -1), axis=1)
    ordered = np.sort(maxima, axis=1)
    if not ordered[:, -1].max() < np.inf:
        return None
    bounds: Floats32 = ordered[np.arange(ks.size), ordered.shape[1] - ks]
    return bounds


def _look_into(logits: Logits, rows: Indices, reaching: Indices, n_columns: int, bounds: Floats32) -> Found:
    """The logits in some columns that reach the bounds of their rows, shape (rows,). The columns are counted through
    all of the rows; shape (columns,)."""
    numbers = reaching // n_columns
    columns = reaching & (n_columns - 1)
    n_vocab = logits.shape[1]
    depth = -(-n_vocab // n_columns)
    starts = (rows * n_vocab)[numbers]
    # The first values of all columns, then the second ones: where those of a row are near each other in memory.
    places = np.arange(0, depth * n_columns, n_columns)[:, None] + (starts + columns)
    # The last place of a column may be behind the end of its row.
    values = logits.ravel().take(places, mode="clip")
    reaches = values >= bounds[numbers]
    reaches[-1] &= columns < n_vocab - n_columns * (depth - 1)
    hits = reaches.ravel().nonzero()[0]
    which = hits % reaching.size
    return Found(numbers[which], places.ravel()[hits] - starts[which], values.ravel()[hits])
