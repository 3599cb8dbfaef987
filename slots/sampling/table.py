"""The candidates of several rows side by side."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slots.llama import Logits
from slots.sampling.columns import FOLD_AGAIN, Columns, Floats32, Indices
from slots.sampling.selection import falling_order

_TOKEN_BITS = 20
_LOGIT_BITS = 32
MOST_TOKENS = 1 << _TOKEN_BITS
"""Of a vocabulary whose tokens fit into the keys that candidates are sorted by."""

_COLUMNS_FOR_EACH = 4
"""Columns at least for each token that is looked for."""
_MOST_COLUMNS_FOR_EACH = 4
"""Columns to look into for each token that is looked for; rows in which there are more are better sorted one by one."""


@dataclass(slots=True)
class Table:
    """The candidates of several rows, in each the largest logit first and the lower token among equals.

    A row with fewer candidates than others is filled up. All arrays have the shape (rows, most candidates of a row).
    """

    tokens: Indices
    logits: Floats32
    is_candidate: npt.NDArray[np.bool_]

    def keep_first(self, n: Indices) -> None:
        """Take away all but the first n candidates of each row; `n` has the shape (rows,)."""
        self.is_candidate &= np.arange(self.tokens.shape[1]) < n[:, None]

    def mass(self) -> npt.NDArray[np.float64]:
        """The weights of the candidates of each row, added up one after the other."""
        weights = np.exp(self.logits - self.logits[:, :1], dtype=np.float64)
        weights *= self.is_candidate
        return np.add.accumulate(weights, axis=1, out=weights)


@dataclass(slots=True)
class Found:
    """Tokens among which are the largest of each row. All arrays have the shape (tokens,)."""

    numbers: Indices
    """The places of their rows among the rows that are looked at."""
    tokens: Indices
    logits: Floats32

    def at(self, places: Indices) -> "Found":
        """Those at some places."""
        return Found(self.numbers[places], self.tokens[places], self.logits[places])

    def with_rest(self, rest: Floats32, bounds: Floats32, start: int) -> "Found":
        """With those of the logits from `start` on, which are not in columns, that reach the bounds of their rows."""
        numbers, places = (rest >= bounds[:, None]).nonzero()
        return Found(
            np.concatenate((self.numbers, numbers)),
            np.concatenate((self.tokens, places + start)),
            np.concatenate((self.logits, rest[numbers, places])),
        )


def n_columns_for(n_vocab: int, n_usual: int, k: int) -> int | None:
    """How many columns a row is folded into to find its k largest logits: a power of 2, `n_usual` if that is enough
    of them; None where the row is too short or too long for that."""
    n = n_usual
    while n < _COLUMNS_FOR_EACH * k:
        n *= 2
    return n if 2 * n <= n_vocab <= MOST_TOKENS else None


def largest_of_rows(logits: Logits, rows: Indices, ks: Indices, n_columns: int) -> Table | None:
    """The `ks` largest logits of some rows, `rows` and `ks` of shape (rows,), found as `Columns` finds those of one.

    Returns None when logits are so much alike, or not numbers, that it is better to look at the rows one by one.
    """
    found = find_largest(logits, rows, ks, n_columns)
    return sorted_table(found, logits, rows, ks) if found else None


def find_largest(logits: Logits, rows: Indices, ks: Indices, n_columns: int) -> Found | None:
    """All logits from a lower bound of the `ks` largest of their rows on, or None; see `largest_of_rows`."""
    n_vocab = logits.shape[1]
    n_folded = n_vocab - n_vocab % n_columns
    maxima = _maxima(logits, rows, n_columns)
    bounds = _bounds(maxima, ks)
    reaching = (maxima >= bounds[:, None]).ravel().nonzero()[0]
    if reaching.size > _MOST_COLUMNS_FOR_EACH * ks.sum():
        return None
    number = reaching // n_columns
    column = reaching - number * n_columns
    depth = n_folded // n_columns
    values = logits.ravel().take((rows[number] * n_vocab + column)[:, None] + n_columns * np.arange(depth))
    hits = (values >= bounds[number, None]).ravel().nonzero()[0]
    which = hits // depth
    found = Found(number[which], column[which] + n_columns * (hits - which * depth), values.ravel()[hits])
    if n_folded < n_vocab:
        found = found.with_rest(logits[rows, n_folded:], bounds, n_folded)
    return found


def _maxima(logits: Logits, rows: Indices, n_columns: int) -> Floats32:
    """The maxima of the columns of each row, shape (rows, columns)."""
    maxima = np.empty((rows.size, n_columns), np.float32)
    n_rows, n_vocab = logits.shape
    n_folded = n_vocab - n_vocab % n_columns
    if rows.size < n_rows:
        for number, row in enumerate(rows.tolist()):
            Columns(logits[row], maxima[number])
        return maxima
    np.maximum.reduce(logits[:, :n_folded].reshape(n_rows, -1, n_columns), axis=1, out=maxima)
    rest = maxima[:, : n_vocab - n_folded]
    np.maximum(rest, logits[:, n_folded:], out=rest)
    return maxima


def _bounds(maxima: Floats32, ks: Indices) -> Floats32:
    """A lower bound for the k-th largest logit of each row, shape (rows,)."""
    while maxima.shape[1] > FOLD_AGAIN * _COLUMNS_FOR_EACH * ks.max():
        maxima = np.maximum.reduce(maxima.reshape(ks.size, FOLD_AGAIN, -1), axis=1)
    bounds: Floats32 = np.sort(maxima, axis=1)[np.arange(ks.size), maxima.shape[1] - ks]
    return bounds


def sorted_table(found: Found, logits: Logits, rows: Indices, ks: Indices) -> Table | None:
    """A table of the `ks` largest of what was found for each row; None if there are fewer."""
    # One integer that orders by row, by falling logit and by token.
    order = falling_order(found.logits) + (1 << _LOGIT_BITS - 1)
    keys = (found.numbers << _LOGIT_BITS + _TOKEN_BITS) | (order << _TOKEN_BITS) | found.tokens
    if keys.size < ks.sum():  # as only logits that are not numbers lead to
        return None
    keys.sort()
    starts = keys.searchsorted(np.arange(rows.size) << _LOGIT_BITS + _TOKEN_BITS)
    place = np.arange(ks.max())
    tokens = keys[np.minimum(starts[:, None] + place, keys.size - 1)] & (MOST_TOKENS - 1)
    is_candidate = place < ks[:, None]
    largest = logits.ravel().take((rows * logits.shape[1])[:, None] + tokens)
    sorted_logits = np.where(is_candidate, largest, np.float32(-np.inf))
    return Table(tokens, sorted_logits, is_candidate)
