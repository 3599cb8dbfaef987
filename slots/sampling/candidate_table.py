"""Candidate table: the largest logits of several rows in one sorted array, without the tokens that masks forbid."""

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
from slots.sampling.samplers.grammar_mask import AllowedTokens, GrammarMask

_TOKEN_BITS = 20
_ROW_BIT = _TOKEN_BITS + 33
MAX_VOCAB = 1 << _TOKEN_BITS  # tokens of larger vocabularies do not fit into the sort keys


@dataclass(slots=True)
class LogitEntries:
    """Some logits of several rows, in any order. All arrays have the shape (entries,)."""

    rows: Indices  # numbered from 0
    tokens: Indices
    logits: Floats32

    def select(self, indices: Indices) -> "LogitEntries":
        return LogitEntries(self.rows[indices], self.tokens[indices], self.logits[indices])


class RowCounts:
    """How many candidates each row of a table has, `ks` of shape (rows,), and arrays that follow from it."""

    def __init__(self, ks: Indices) -> None:
        self.ks = ks
        self.columns: Indices = np.arange(ks.max(initial=0))
        self.rows: Indices = np.arange(ks.size)
        # Sort keys below all of a row and above all of the rows before it.
        self.row_bounds: Indices = (2 * self.rows - 1) << (_ROW_BIT - 1)
        self.is_candidate = self.columns < ks[:, None]
        self.is_full = bool(self.is_candidate.all())


@dataclass(slots=True)
class CandidateTable:
    """The candidates of several rows, each row by falling logit, with the lower token first among equals.

    Rows with fewer candidates are padded. All arrays have the shape (rows, maximum number of candidates).
    """

    tokens: Indices
    logits: Floats32
    is_candidate: npt.NDArray[np.bool_]
    counts: RowCounts

    def keep_first(self, n: Indices) -> None:
        """Remove all but the first n candidates of each row; `n` has the shape (rows,)."""
        self.is_candidate &= self.counts.columns < n[:, None]

    def cumulative_weights(self) -> Floats64:
        """Unnormalized probabilities, cumulative along each row."""
        weights = np.exp(self.logits - self.logits[:, :1], dtype=np.float64)
        weights *= self.is_candidate
        return np.add.accumulate(weights, axis=1, out=weights)


def build_table(entries: LogitEntries, counts: RowCounts) -> CandidateTable:
    """Sort the largest entries of each row into a table; a row has at least as many entries as `counts` says."""
    # One integer that orders by row, by falling logit and by token: the keys of a row are around that of the row.
    keys = entries.rows << _ROW_BIT
    keys += np.left_shift(descending_key(entries.logits), _TOKEN_BITS, dtype=np.int64)
    keys += entries.tokens
    order = keys.argsort()
    positions = keys.searchsorted(counts.row_bounds, sorter=order)[:, None] + counts.columns
    largest = order.take(positions, mode="clip")
    logits = entries.logits[largest]
    if not counts.is_full:
        logits[~counts.is_candidate] = -np.inf
    return CandidateTable(entries.tokens[largest], logits, counts.is_candidate.copy(), counts)


def masked_top_k(
    logits: Logits, rows: Indices, ks: Indices, masks: Sequence[GrammarMask | None], n_threads: int
) -> CandidateTable | None:
    """Find the `ks` largest logits of some rows among the tokens that the masks of the rows allow.

    `rows` are indices into `logits`; `rows` and `ks` have the shape (rows,). A row has fewer candidates if fewer tokens
    are allowed. Returns None if each row has to be sampled alone. Logits of forbidden tokens may become -inf. Raises
    InvalidRequest if a grammar hits its limits.

    - An expensive mask is asked about the largest logits one after the other, until enough are allowed.
    - If a mask allows few tokens, their logits are read.
    - If it allows many, more than k of the largest logits are searched for, to be left with k that are allowed; if
      these turn out to be too few, the mask is applied to the full row.
    """
    row_set = _RowSet(logits, rows, n_threads)
    expensive = {row: mask for row, mask in enumerate(masks) if mask and mask.is_mask_expensive}
    probed = _probe_masks(row_set, ks, expensive) if expensive else {}
    if probed is None:
        return None
    allowed = {row: mask.allowed() for row, mask in enumerate(masks) if mask and row not in probed}
    sparse = {row: tokens for row, tokens in allowed.items() if tokens.is_sparse}
    dense = {row: tokens.words for row, tokens in allowed.items() if not tokens.is_sparse}
    rest = np.array([row for row in range(len(masks)) if row not in sparse and row not in probed], np.intp)
    parts: list[LogitEntries | None] = list(probed.values())
    if sparse:
        parts.append(row_set.entries_in_mask(sparse))
    if rest.size:
        parts.append(_search_rows(row_set, rest, ks, dense))
    entries = _concatenate(parts)
    if entries is None or np.isnan(entries.logits).any():
        return None
    n_candidates = ks.copy()
    for row, tokens in sparse.items():
        n_candidates[row] = min(ks[row], tokens.n_tokens)
    return build_table(entries, RowCounts(n_candidates))


@dataclass(frozen=True, slots=True)
class _RowSet:
    """The rows of a table while it is built, by their numbers in it."""

    logits: Logits
    indices: Indices  # of the rows in `logits`
    n_threads: int

    def top_k(self, rows: Indices, ks: Indices) -> LogitEntries | None:
        """Find the largest logits of some rows, `ks` of each, which has an element for every row of the table."""
        row_ks = ks[rows]
        largest = top_k_rows(self.logits, self.indices[rows], row_ks, self.n_threads)
        if largest is None:
            return None
        tokens, logits = largest
        is_entry = np.arange(tokens.shape[1]) < row_ks[:, None]
        return LogitEntries(rows.repeat(row_ks), tokens[is_entry], logits[is_entry])

    def top_k_with_extra(self, rows: Indices, ks: Indices, masked: Iterable[int]) -> LogitEntries | None:
        """As `top_k`, but more of the masked rows, because some of these are not allowed."""
        extended = ks.copy()
        for row in masked:
            extended[row] = 2 * ks[row] + EXTRA_CANDIDATES
        return self.top_k(rows, extended)

    def entries_in_mask(self, masks: Mapping[int, AllowedTokens]) -> LogitEntries:
        words = [allowed.words for allowed in masks.values()]
        bits = bitmask.tokens_in(np.concatenate(words))
        n_bits = 32 * words[0].size
        which = bits // n_bits
        rows = np.array(list(masks), np.intp)[which]
        tokens = bits - n_bits * which
        return LogitEntries(rows, tokens, self.logits[self.indices[rows], tokens])

    def apply_mask(self, row: int, allowed: Words) -> None:
        logits = self.logits[self.indices[row]]
        np.copyto(logits, -np.inf, where=bitmask.complement(allowed, np.empty(logits.size, np.bool_)))


def _probe_masks(row_set: _RowSet, ks: Indices, masks: Mapping[int, GrammarMask]) -> dict[int, LogitEntries] | None:
    """The largest allowed logits of rows with expensive masks; only of rows in which enough of those that were searched
    are allowed."""
    entries = row_set.top_k_with_extra(np.array(list(masks)), ks, masks)
    if entries is None:
        return None
    probed: dict[int, LogitEntries] = {}
    for row, mask in masks.items():
        indices = (entries.rows == row).nonzero()[0]
        indices = indices[np.lexsort((entries.tokens[indices], -entries.logits[indices]))]
        first_k = mask.first_k_allowed(entries.tokens[indices].tolist(), int(ks[row]))
        if first_k:
            probed[row] = entries.select(indices[first_k])
    return probed


def _search_rows(row_set: _RowSet, rows: Indices, ks: Indices, masks: Mapping[int, Words]) -> LogitEntries | None:
    """The largest allowed logits of rows whose masks allow many tokens, and of rows without a mask."""
    entries = row_set.top_k_with_extra(rows, ks, masks)
    if entries is None:
        return None
    is_kept = np.ones(entries.rows.size, np.bool_)
    incomplete = []
    for row, words in masks.items():
        indices = (entries.rows == row).nonzero()[0]
        is_allowed = bitmask.contains(words, entries.tokens[indices])
        if np.count_nonzero(is_allowed) < ks[row]:
            incomplete.append(row)
            is_allowed = np.zeros_like(is_allowed)
        is_kept[indices] = is_allowed
    kept = entries.select(is_kept.nonzero()[0])
    if not incomplete:
        return kept
    for row in incomplete:
        row_set.apply_mask(row, masks[row])
    return _concatenate([kept, row_set.top_k(np.array(incomplete), ks)])


def _concatenate(parts: Sequence[LogitEntries | None]) -> LogitEntries | None:
    present = [part for part in parts if part]
    if len(present) < len(parts):
        return None
    if len(present) == 1:
        return present[0]
    return LogitEntries(
        np.concatenate([part.rows for part in present]),
        np.concatenate([part.tokens for part in present]),
        np.concatenate([part.logits for part in present]),
    )
