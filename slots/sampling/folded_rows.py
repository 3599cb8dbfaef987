"""Several rows of logits, folded into columns again and again."""

from dataclasses import dataclass

import numpy as np

from slots.llama import Logits
from slots.sampling.columns import Floats32, Indices
from slots.sampling.cores import Cores

_DEPTH = 8
"""Values in a column: few, so that few are looked into beside those that are looked for."""
_COLUMNS_FOR_EACH = 4
"""Columns at least for each token that is looked for."""
_MOST_REACHING = 4
"""Columns to look into for each token that is looked for; rows in which there are more are better sorted one by one."""
_WORTH_A_CORE = 1 << 20
"""Logits that are folded in about the time that another thread needs to begin."""


def n_columns_for(n_vocab: int, k: int) -> int | None:
    """How many columns a row is folded into to find its k largest logits: a power of 2. None where it is too short."""
    least = _COLUMNS_FOR_EACH * k
    if n_vocab < 2 * least:
        return None
    n = max(1 << (n_vocab // _DEPTH).bit_length() - 1, 1 << (least - 1).bit_length())
    return n if 2 * n <= n_vocab else None


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

    A row is folded into columns, of which the largest values are kept, and these are folded again while they are
    many. A column has a large logit where it has a large maximum, so that few columns are looked into.
    """

    def __init__(self, cores: Cores) -> None:
        self._cores = cores
        self._maxima = np.empty(0, np.float32)

    def find_largest(self, logits: Logits, rows: Indices, ks: Indices) -> Found | None:
        """All logits from a lower bound of the `ks` largest of their rows on, by row; `rows` are the places of the
        rows that are looked at, ascending, `rows` and `ks` of shape (rows,).

        Returns None where it is better to look at the rows one by one: when they are short, or logits are so much
        alike, or not numbers.
        """
        most_looked_for = int(ks.max())
        n_columns = n_columns_for(logits.shape[1], most_looked_for)
        if n_columns is None:
            return None
        levels = [self._fold(logits, rows, n_columns)]
        while levels[-1].shape[1] >= _DEPTH * _COLUMNS_FOR_EACH * most_looked_for:
            levels.append(np.maximum.reduce(levels[-1].reshape(rows.size, _DEPTH, -1), axis=1))
        bounds = _bounds(levels[-1], ks)
        if bounds is None:
            return None
        # Bounds are quickly found on the last level; from there on, large values are sooner found on the one before.
        *upper, top = levels[:-1] or levels
        hits = (top >= bounds[:, None]).ravel().nonzero()[0]
        numbers = hits // top.shape[1]
        found = Found(numbers, hits - numbers * top.shape[1], top.ravel()[hits])
        width = top.shape[1]
        for level, places in [*((level, None) for level in reversed(upper)), (logits, rows)]:
            if found.numbers.size > _MOST_REACHING * ks.sum():
                return None
            found = _look_into(level, found, places, width, bounds)
            width = level.shape[1]
        return found

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
            _fold_rows(logits, np.array([row]), maxima[number : number + 1])
        return
    neighbours = logits[rows[0] : rows[-1] + 1]
    np.maximum.reduce(neighbours[:, :n_folded].reshape(rows.size, -1, n_columns), axis=1, out=maxima)
    rest = maxima[:, : logits.shape[1] - n_folded]
    np.maximum(rest, neighbours[:, n_folded:], out=rest)


def _bounds(maxima: Floats32, ks: Indices) -> Floats32 | None:
    """A lower bound for the k-th largest logit of each row, shape (rows,); None if some are not numbers."""
    ordered = np.sort(maxima, axis=1)
    if np.isnan(ordered[:, -1]).any():
        return None
    bounds: Floats32 = ordered[np.arange(ks.size), ordered.shape[1] - ks]
    return bounds


def _look_into(values: Floats32, columns: Found, rows: Indices | None, width: int, bounds: Floats32) -> Found:
    """The values that reach the bounds of their rows, in some of the columns that values are folded into.

    `rows` says where in `values` the rows are, if not in their order; `width` is how many columns there are.
    """
    size = values.shape[1]
    depth = -(-size // width)
    places = columns.tokens[:, None] + width * np.arange(depth)
    numbers = columns.numbers
    starts = size * (numbers if rows is None else rows[numbers])
    # The last place may be behind the end of a row.
    found = values.ravel().take(starts[:, None] + places, mode="clip")
    reaches = found >= bounds[numbers, None]
    if size % width:
        reaches &= places < size
    hits = reaches.ravel().nonzero()[0]
    return Found(numbers[hits // depth], places.ravel()[hits], found.ravel()[hits])
