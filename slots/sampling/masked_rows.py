"""The candidates of several rows side by side, where grammars allow only some of the tokens."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from slots.llama import Logits
from slots.sampling.candidate_table import Counts, Found, Table, sorted_table
from slots.sampling.logits import bitmask
from slots.sampling.logits.bitmask import Words
from slots.sampling.logits.candidates import SOME_MORE
from slots.sampling.logits.top_k import find_largest
from slots.sampling.logits.workspace import Indices
from slots.sampling.samplers.grammar_mask import GrammarMask


@dataclass(frozen=True, slots=True)
class _Rows:
    """Some rows of logits, by numbers."""

    logits: Logits
    rows: Indices
    n_threads: int

    def find(self, numbers: Indices, ks: Indices) -> Found | None:
        """The `ks` largest logits of the rows with these numbers."""
        of_each = ks[numbers]
        largest = find_largest(self.logits, self.rows[numbers], of_each, self.n_threads)
        if largest is None:
            return None
        tokens, logits = largest
        is_there = np.arange(tokens.shape[1]) < of_each[:, None]
        return Found(numbers.repeat(of_each), tokens[is_there], logits[is_there])

    def find_more(self, numbers: Indices, ks: Indices, masked: Iterable[int]) -> Found | None:
        """As `find`, and of masked rows some more, in the hope that enough of them are allowed."""
        wanted = ks.copy()
        for number in masked:
            wanted[number] = 2 * ks[number] + SOME_MORE
        return self.find(numbers, wanted)

    def members(self, masks: Mapping[int, Words]) -> Found:
        """The logits of all tokens that masks allow."""
        members = bitmask.members(np.concatenate(list(masks.values())))
        n_bits = 32 * next(iter(masks.values())).size
        which = members // n_bits
        numbers = np.array(list(masks), np.intp)[which]
        tokens = members - n_bits * which
        return Found(numbers, tokens, self.logits[self.rows[numbers], tokens])

    def rule_out(self, number: int, allowed: Words) -> None:
        """Make the logits of all tokens that are not allowed minus infinity."""
        row = self.logits[self.rows[number]]
        np.copyto(row, -np.inf, where=bitmask.missing(allowed, np.empty(row.size, np.bool_)))


def largest_allowed(
    logits: Logits, rows: Indices, ks: Indices, masks: Sequence[GrammarMask | None], n_threads: int
) -> Table | None:
    """The `ks` largest logits of some rows, `rows` and `ks` of shape (rows,), of the tokens that the masks of the rows
    allow, if they have one. A row has as many candidates as tokens, where those are fewer. None where it is better to
    look at each row alone. Logits of other tokens may be changed to minus infinity.

    Where few tokens are allowed, these are looked at. In other rows some more of the largest logits are looked for, in
    the hope that enough of them are allowed; where they are not, the others are ruled out in all of the row. Raises
    InvalidRequest where a grammar hits its limits.
    """
    of = _Rows(logits, rows, n_threads)
    dear = {number: mask for number, mask in enumerate(masks) if mask and mask.is_dear}
    asked = _largest_one_by_one(of, ks, dear) if dear else {}
    if asked is None:
        return None
    known = {number: mask.allowed() for number, mask in enumerate(masks) if mask and number not in asked}
    few = {number: allowed.words for number, allowed in known.items() if allowed.are_few}
    many = {number: allowed.words for number, allowed in known.items() if not allowed.are_few}
    rest = np.array([number for number in range(len(masks)) if number not in few and number not in asked], np.intp)
    parts: list[Found | None] = list(asked.values())
    if few:
        parts.append(of.members(few))
    if rest.size:
        parts.append(_largest_of_many(of, rest, ks, many))
    found = _joined(parts)
    if found is None or np.isnan(found.logits).any():
        return None
    n_candidates = ks.copy()
    for number in few:
        n_candidates[number] = min(ks[number], known[number].n_tokens)
    return sorted_table(found, Counts(n_candidates))


def _largest_one_by_one(of: _Rows, ks: Indices, masks: Mapping[int, GrammarMask]) -> dict[int, Found] | None:
    """The largest logits of rows with dear masks, which are asked for one token after the other; those of the rows in
    which enough are found that way."""
    found = of.find_more(np.array(list(masks)), ks, masks)
    if found is None:
        return None
    enough: dict[int, Found] = {}
    for number, mask in masks.items():
        places = (found.numbers == number).nonzero()[0]
        places = places[np.lexsort((found.tokens[places], -found.logits[places]))]
        first = mask.first_allowed(found.tokens[places].tolist(), int(ks[number]))
        if first:
            enough[number] = found.at(places[first])
    return enough


def _largest_of_many(of: _Rows, numbers: Indices, ks: Indices, masks: Mapping[int, Words]) -> Found | None:
    """The largest logits of rows in which many tokens are allowed, or all: those without a mask."""
    found = of.find_more(numbers, ks, masks)
    if found is None:
        return None
    is_kept = np.ones(found.numbers.size, np.bool_)
    short = []
    for number, words in masks.items():
        places = (found.numbers == number).nonzero()[0]
        is_allowed = bitmask.contains(words, found.tokens[places])
        if np.count_nonzero(is_allowed) < ks[number]:
            short.append(number)
            is_allowed = np.zeros_like(is_allowed)
        is_kept[places] = is_allowed
    kept = found.at(is_kept.nonzero()[0])
    if not short:
        return kept
    for number in short:
        of.rule_out(number, masks[number])
    return _joined([kept, of.find(np.array(short), ks)])


def _joined(parts: Sequence[Found | None]) -> Found | None:
    """All of the parts, if all are there."""
    there = [part for part in parts if part]
    if len(there) < len(parts):
        return None
    if len(there) == 1:
        return there[0]
    return Found(
        np.concatenate([part.numbers for part in there]),
        np.concatenate([part.tokens for part in there]),
        np.concatenate([part.logits for part in there]),
    )
