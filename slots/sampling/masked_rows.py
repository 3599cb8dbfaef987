"""The candidates of several rows side by side, where grammars allow only some of the tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from slots.llama import Logits
from slots.sampling import bits
from slots.sampling.bits import Words
from slots.sampling.candidates import SOME_MORE
from slots.sampling.columns import Indices
from slots.sampling.grammar_mask import Allowed
from slots.sampling.table import Found, Table, find_largest, sorted_table


@dataclass(frozen=True, slots=True)
class _Rows:
    """Some rows of logits, by numbers."""

    logits: Logits
    rows: Indices
    n_columns: int

    def find(self, numbers: Indices, ks: Indices) -> Found | None:
        """The `ks` largest logits, and more, of the rows with these numbers."""
        found = find_largest(self.logits, self.rows[numbers], ks[numbers], self.n_columns)
        if found:
            found.numbers = numbers[found.numbers]
        return found

    def members(self, masks: Mapping[int, Words]) -> Found:
        """The logits of all tokens that masks allow."""
        members = bits.members(np.concatenate(list(masks.values())))
        n_bits = 32 * next(iter(masks.values())).size
        which = members // n_bits
        numbers = np.array(list(masks), np.intp)[which]
        tokens = members - n_bits * which
        return Found(numbers, tokens, self.logits[self.rows[numbers], tokens])

    def rule_out(self, number: int, allowed: Words) -> None:
        """Make the logits of all tokens that are not allowed minus infinity."""
        row = self.logits[self.rows[number]]
        np.copyto(row, -np.inf, where=bits.missing(allowed, np.empty(row.size, np.bool_)))


def largest_allowed(
    logits: Logits, rows: Indices, ks: Indices, n_columns: int, masks: Sequence[Allowed | None]
) -> Table | None:
    """As `largest_of_rows`, of the tokens that the masks of the rows allow, if they have one. A row has as many
    candidates as tokens, where those are fewer. Logits of other tokens may be changed to minus infinity.

    Where few tokens are allowed, these are looked at. In other rows some more of the largest logits are looked for, in
    the hope that enough of them are allowed; where they are not, the others are ruled out in all of the row.
    """
    of = _Rows(logits, rows, n_columns)
    few = {number: mask.words for number, mask in enumerate(masks) if mask and mask.are_few}
    many = {number: mask.words for number, mask in enumerate(masks) if mask and not mask.are_few}
    others = np.array([number for number in range(len(masks)) if number not in few], np.intp)
    parts = [of.members(few)] if few else []
    if others.size:
        found = _largest_of_many(of, others, ks, many)
        if found is None:
            return None
        parts.append(found)
    n_candidates = [min(k, mask.n_tokens) if mask else k for k, mask in zip(ks.tolist(), masks, strict=True)]
    return sorted_table(_joined(parts), logits, rows, np.array(n_candidates))


def most_looked_for(k: int, *, is_masked: bool) -> int:
    """How many of the largest logits of a row are looked for, to find k that are allowed."""
    return 2 * k + SOME_MORE if is_masked else k


def _largest_of_many(of: _Rows, numbers: Indices, ks: Indices, masks: Mapping[int, Words]) -> Found | None:
    """The largest logits of rows in which many tokens are allowed, or all: those without a mask."""
    wanted = ks.copy()
    for number in masks:
        wanted[number] = most_looked_for(ks[number], is_masked=True)
    found = of.find(numbers, wanted)
    if found is None:
        return None
    is_kept = np.ones(found.numbers.size, np.bool_)
    short = []
    for number, words in masks.items():
        places = (found.numbers == number).nonzero()[0]
        is_allowed = bits.contains(words, found.tokens[places])
        if np.count_nonzero(is_allowed) < ks[number]:
            short.append(number)
            is_allowed = np.zeros_like(is_allowed)
        is_kept[places] = is_allowed
    kept = Found(found.numbers[is_kept], found.tokens[is_kept], found.logits[is_kept])
    if not short:
        return kept
    for number in short:
        of.rule_out(number, masks[number])
    others = of.find(np.array(short), ks)
    return _joined([kept, others]) if others else None


def _joined(parts: Sequence[Found]) -> Found:
    if len(parts) == 1:
        return parts[0]
    return Found(
        np.concatenate([part.numbers for part in parts]),
        np.concatenate([part.tokens for part in parts]),
        np.concatenate([part.logits for part in parts]),
    )
