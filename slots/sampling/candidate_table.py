"""The candidates of several rows side by side."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slots.sampling.logits.search import falling_order
from slots.sampling.logits.workspace import Floats32, Floats64, Indices

_TOKEN_BITS = 20
_ROW_BIT = _TOKEN_BITS + 33
MOST_TOKENS = 1 << _TOKEN_BITS
"""Of a vocabulary whose tokens fit into the keys that candidates are sorted by."""


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


class Counts:
    """How many candidates each row of a table has, and what follows from it."""

    def __init__(self, ks: Indices) -> None:
        """`ks` has the shape (rows,)."""
        self.ks = ks
        self.columns: Indices = np.arange(ks.max(initial=0))
        self.rows: Indices = np.arange(ks.size)
        self.between_rows: Indices = (2 * self.rows - 1) << (_ROW_BIT - 1)
        """Keys that are less than all of a row, and larger than all of the rows before."""
        self.is_candidate = self.columns < ks[:, None]
        self.are_all_candidates = bool(self.is_candidate.all())


@dataclass(slots=True)
class Table:
    """The candidates of several rows, in each the largest logit first and the lower token among equals.

    A row with fewer candidates than others is filled up. All arrays have the shape (rows, most candidates of a row).
    """

    tokens: Indices
    logits: Floats32
    is_candidate: npt.NDArray[np.bool_]
    counts: Counts

    def keep_first(self, n: Indices) -> None:
        """Take away all but the first n candidates of each row; `n` has the shape (rows,)."""
        self.is_candidate &= self.counts.columns < n[:, None]

    def mass(self) -> Floats64:
        """The weights of the candidates of each row, added up one after the other."""
        weights = np.exp(self.logits - self.logits[:, :1], dtype=np.float64)
        weights *= self.is_candidate
        return np.add.accumulate(weights, axis=1, out=weights)


def sorted_table(found: Found, counts: Counts) -> Table:
    """A table of the largest of what was found for each row, which has to be as many as the counts say."""
    # One integer that orders by row, by falling logit and by token: those of a row are around the row's own.
    keys = found.numbers << _ROW_BIT
    keys += np.left_shift(falling_order(found.logits), _TOKEN_BITS, dtype=np.int64)
    keys += found.tokens
    order = keys.argsort()
    of_rows = keys.searchsorted(counts.between_rows, sorter=order)[:, None] + counts.columns
    largest = order.take(of_rows, mode="clip")
    logits = found.logits[largest]
    if not counts.are_all_candidates:
        logits[~counts.is_candidate] = -np.inf
    return Table(found.tokens[largest], logits, counts.is_candidate.copy(), counts)
