"""The candidates of several rows side by side."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slots.sampling.columns import Floats32, Indices
from slots.sampling.folded_rows import Found
from slots.sampling.selection import falling_order

_TOKEN_BITS = 20
_ROW_BIT = _TOKEN_BITS + 33
MOST_TOKENS = 1 << _TOKEN_BITS
"""Of a vocabulary whose tokens fit into the keys that candidates are sorted by."""


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


def sorted_table(found: Found, ks: Indices) -> Table:
    """A table of the `ks` largest of what was found for each row, which has to be as many; `ks` of shape (rows,)."""
    # One integer that orders by row, by falling logit and by token: those of a row are around the row's own.
    keys = found.numbers << _ROW_BIT
    keys += np.left_shift(falling_order(found.logits), _TOKEN_BITS, dtype=np.int64)
    keys += found.tokens
    order = keys.argsort()
    between_rows = (2 * np.arange(ks.size) - 1) << (_ROW_BIT - 1)
    place = np.arange(ks.max())
    of_rows = keys.searchsorted(between_rows, sorter=order)[:, None] + place
    largest = order.take(of_rows, mode="clip")
    is_candidate = place < ks[:, None]
    logits = np.where(is_candidate, found.logits[largest], np.float32(-np.inf))
    return Table(found.tokens[largest], logits, is_candidate)
