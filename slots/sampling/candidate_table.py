"""The candidates of several rows side by side."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slots.llama import Logits
from slots.sampling.logits import bitmask
from slots.sampling.logits.bitmask import Words
from slots.sampling.logits.candidates import EXTRA_CANDIDATES
from slots.sampling.logits.search import descending_key
from slots.sampling.logits.top_k import top_k_rows
from slots.sampling.logits.workspace import Floats32, Floats64, Indices
from slots.sampling.samplers.grammar_mask import GrammarMask

_TOKEN_BITS = 20
_ROW_BIT = _TOKEN_BITS + 33
MAX_VOCAB = 1 << _TOKEN_BITS
"""Of a vocabulary whose tokens fit into the keys that candidates are sorted by."""


@dataclass(slots=True)
class LogitEntries:
    """Some of the logits of several rows. All arrays have the shape (logits,)."""

    rows: Indices
    """The places of their rows among the rows that are looked at."""
    tokens: Indices
    logits: Floats32

    def select(self, places: Indices) -> "LogitEntries":
        """Those at some places."""
        return LogitEntries(self.rows[places], self.tokens[places], self.logits[places])


class RowCounts:
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
class CandidateTable:
    """The candidates of several rows, in each the largest logit first and the lower token among equals.

    A row with fewer candidates than others is filled up. All arrays have the shape (rows, most candidates of a row).
    """

    tokens: Indices
    logits: Floats32
    is_candidate: npt.NDArray[np.bool_]
    counts: RowCounts

    def keep_first(self, n: Indices) -> None:
        """Take away all but the first n candidates of each row; `n` has the shape (rows,)."""
        self.is_candidate &= self.counts.columns < n[:, None]

    def cumulative_weights(self) -> Floats64:
        """The weights of the candidates of each row, added up one after the other."""
        weights = np.exp(self.logits - self.logits[:, :1], dtype=np.float64)
        weights *= self.is_candidate
        return np.add.accumulate(weights, axis=1, out=weights)


def build_table(found: LogitEntries, counts: RowCounts) -> CandidateTable:
    """A table of the largest of what was found for each row, which has to be as many as the counts say."""
    # One integer that orders by row, by falling logit and by token: those of a row are around the row's own.
    keys = found.rows << _ROW_BIT
    keys += np.left_shift(descending_key(found.logits), _TOKEN_BITS, dtype=np.int64)
    keys += found.tokens
    order = keys.argsort()
    of_rows = keys.searchsorted(counts.between_rows, sorter=order)[:, None] + counts.columns
    largest = order.take(of_rows, mode="clip")
    logits = found.logits[largest]
    if not counts.are_all_candidates:
        logits[~counts.is_candidate] = -np.inf
    return CandidateTable(found.tokens[largest], logits, counts.is_candidate.copy(), counts)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Some rows of logits, by numbers."""

    logits: Logits
    rows: Indices
    n_threads: int

    def find(self, numbers: Indices, ks: Indices) -> LogitEntries | None:
        """The `ks` largest logits of the rows with these numbers."""
        of_each = ks[numbers]
        largest = top_k_rows(self.logits, self.rows[numbers], of_each, self.n_threads)
        if largest is None:
            return None
        tokens, logits = largest
        is_there = np.arange(tokens.shape[1]) < of_each[:, None]
        return LogitEntries(numbers.repeat(of_each), tokens[is_there], logits[is_there])

    def find_more(self, numbers: Indices, ks: Indices, masked: Iterable[int]) -> LogitEntries | None:
        """As `find`, and of masked rows some more, in the hope that enough of them are allowed."""
        wanted = ks.copy()
        for number in masked:
            wanted[number] = 2 * ks[number] + EXTRA_CANDIDATES
        return self.find(numbers, wanted)

    def entries_in_mask(self, masks: Mapping[int, Words]) -> LogitEntries:
        """The logits of all tokens that masks allow."""
        members = bitmask.tokens_in(np.concatenate(list(masks.values())))
        n_bits = 32 * next(iter(masks.values())).size
        which = members // n_bits
        numbers = np.array(list(masks), np.intp)[which]
        tokens = members - n_bits * which
        return LogitEntries(numbers, tokens, self.logits[self.rows[numbers], tokens])

    def rule_out(self, number: int, allowed: Words) -> None:
        """Make the logits of all tokens that are not allowed minus infinity."""
        row = self.logits[self.rows[number]]
        np.copyto(row, -np.inf, where=bitmask.complement(allowed, np.empty(row.size, np.bool_)))


def masked_top_k(
    logits: Logits, rows: Indices, ks: Indices, masks: Sequence[GrammarMask | None], n_threads: int
) -> CandidateTable | None:
    """The `ks` largest logits of some rows, `rows` and `ks` of shape (rows,), of the tokens that the masks of the rows
    allow, if they have one. A row has as many candidates as tokens, where those are fewer. None where it is better to
    look at each row alone. Logits of other tokens may be changed to minus infinity.

    Where few tokens are allowed, these are looked at. In other rows some more of the largest logits are looked for, in
    the hope that enough of them are allowed; where they are not, the others are ruled out in all of the row. Raises
    InvalidRequest where a grammar hits its limits.
    """
    of = _Rows(logits, rows, n_threads)
    dear = {number: mask for number, mask in enumerate(masks) if mask and mask.is_mask_expensive}
    asked = _largest_one_by_one(of, ks, dear) if dear else {}
    if asked is None:
        return None
    known = {number: mask.allowed() for number, mask in enumerate(masks) if mask and number not in asked}
    few = {number: allowed.words for number, allowed in known.items() if allowed.is_sparse}
    many = {number: allowed.words for number, allowed in known.items() if not allowed.is_sparse}
    rest = np.array([number for number in range(len(masks)) if number not in few and number not in asked], np.intp)
    parts: list[LogitEntries | None] = list(asked.values())
    if few:
        parts.append(of.entries_in_mask(few))
    if rest.size:
        parts.append(_largest_of_many(of, rest, ks, many))
    found = _joined(parts)
    if found is None or np.isnan(found.logits).any():
        return None
    n_candidates = ks.copy()
    for number in few:
        n_candidates[number] = min(ks[number], known[number].n_tokens)
    return build_table(found, RowCounts(n_candidates))


def _largest_one_by_one(of: _Rows, ks: Indices, masks: Mapping[int, GrammarMask]) -> dict[int, LogitEntries] | None:
    """The largest logits of rows with dear masks, which are asked for one token after the other; those of the rows in
    which enough are found that way."""
    found = of.find_more(np.array(list(masks)), ks, masks)
    if found is None:
        return None
    enough: dict[int, LogitEntries] = {}
    for number, mask in masks.items():
        places = (found.rows == number).nonzero()[0]
        places = places[np.lexsort((found.tokens[places], -found.logits[places]))]
        first = mask.first_k_allowed(found.tokens[places].tolist(), int(ks[number]))
        if first:
            enough[number] = found.select(places[first])
    return enough


def _largest_of_many(of: _Rows, numbers: Indices, ks: Indices, masks: Mapping[int, Words]) -> LogitEntries | None:
    """The largest logits of rows in which many tokens are allowed, or all: those without a mask."""
    found = of.find_more(numbers, ks, masks)
    if found is None:
        return None
    is_kept = np.ones(found.rows.size, np.bool_)
    short = []
    for number, words in masks.items():
        places = (found.rows == number).nonzero()[0]
        is_allowed = bitmask.contains(words, found.tokens[places])
        if np.count_nonzero(is_allowed) < ks[number]:
            short.append(number)
            is_allowed = np.zeros_like(is_allowed)
        is_kept[places] = is_allowed
    kept = found.select(is_kept.nonzero()[0])
    if not short:
        return kept
    for number in short:
        of.rule_out(number, masks[number])
    return _joined([kept, of.find(np.array(short), ks)])


def _joined(parts: Sequence[LogitEntries | None]) -> LogitEntries | None:
    """All of the parts, if all are there."""
    there = [part for part in parts if part]
    if len(there) < len(parts):
        return None
    if len(there) == 1:
        return there[0]
    return LogitEntries(
        np.concatenate([part.rows for part in there]),
        np.concatenate([part.tokens for part in there]),
        np.concatenate([part.logits for part in there]),
    )
