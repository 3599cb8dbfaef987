"""The tokens of a step, chosen among the largest logits of each row."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from slots.llama import Logits, TopTokens
from slots.sampling.candidate_table import LogitEntries, build_table
from slots.sampling.fast_chain import BatchedFastChain, sample_rows
from slots.sampling.logits.candidates import Candidates, nan_logits
from slots.sampling.logits.workspace import Floats32, Indices, Workspace
from slots.sampling.row_sampler import Result
from slots.sampling.sampler import SampledToken, Sampler, no_float_warnings
from slots.sampling.samplers.penalties import BatchedPenalties

_BITS = 32
"""Of a token, and of a logit."""


class CandidateRows:
    """The tokens with the largest logits of each row, and these logits, which may be changed."""

    def __init__(self, tokens: npt.NDArray[np.int32], logits: Logits) -> None:
        """Both are of shape (rows, candidates) and in any order."""
        # One integer that orders by token and holds the logit.
        packed = tokens.astype(np.int64) << _BITS
        packed |= logits.view(np.uint32)
        packed.sort(axis=1)
        self.tokens: Indices = packed >> _BITS
        """By row, ascending: the lower token has the lower place, as in a whole row."""
        self.flat = np.zeros(logits.size + 1, np.float32)
        """The logits row by row, and a last one that belongs to no token."""
        self.logits: Logits = self.flat[:-1].reshape(logits.shape)
        """Of the tokens, in their order."""
        self.logits[:] = (packed & 0xFFFFFFFF).astype(np.uint32).view(np.float32)
        self.cuts: Floats32 = logits.min(axis=1)
        """What no token that is not there had a larger logit than; not a number if a logit was none. Shape (rows,)."""
        rows = np.arange(len(logits))[:, None] << _BITS
        self._keys: npt.NDArray[np.int64] = (self.tokens | rows).ravel()

    def find(self, rows: Indices, tokens: Indices) -> Indices:
        """Where tokens of some rows are in the flat logits; its last place for one that is not a candidate. All
        of shape (tokens,)."""
        keys = (rows << _BITS) | tokens
        places = self._keys.searchsorted(keys)
        is_there = self._keys.take(places, mode="clip") == keys
        return np.where(is_there, places, self._keys.size)


class CandidateSampler:
    """Chooses tokens where only the largest logits of a row are there, which has to be at least as many as decide it.

    The tokens are the same as from the whole row. The exception are rows in which so many tokens have the same logit
    that not all of them are there: of these llama.cpp hands out any, which need not be the same each time. Where one of
    them would be needed, all of those are left out; if they are all there is, those that are there are taken.
    """

    def __init__(self, n_candidates: int) -> None:
        """`n_candidates` is how many there are of a row."""
        self._workspace = Workspace(n_candidates)
        self._together = _Together([])

    def sample(self, samplers: Sequence[Sampler], top: TopTokens) -> list[Result]:
        """The choice of each sampler for its row, in order, or what it raised."""
        if samplers != self._together.samplers:  # most steps have the same ones as the step before
            self._together = _Together(list(samplers))
        with no_float_warnings():
            rows = CandidateRows(top.tokens, top.logits)
            self._together.edit(rows, self._workspace)
            chosen = self._together.choose(rows)
        return [
            SampledToken(sampler.accept(chosen[number]), None)
            if number in chosen
            else self._choose(sampler, rows, number)
            for number, sampler in enumerate(samplers)
        ]

    def _choose(self, sampler: Sampler, rows: CandidateRows, number: int) -> Result:
        """The choice for one row by itself; what goes wrong with it is its result, and no other row's."""
        cut = rows.cuts[number]
        if np.isnan(cut):
            return nan_logits()
        candidates = Candidates(rows.logits[number], self._workspace)
        candidates.ids = rows.tokens[number]
        certain = (candidates.logits > cut).nonzero()[0]
        if certain.size:
            candidates.keep(certain)
        try:
            return sampler.sample_from(candidates, is_edited=True)
        except Exception as error:
            return error


class _Together:
    """Samplers of several rows, and what they do side by side."""

    def __init__(self, samplers: list[Sampler]) -> None:
        self.samplers = samplers
        numbers = range(len(samplers))
        self._greedy = np.array([number for number in numbers if samplers[number].is_plain_argmax], np.intp)
        self._usual = np.array([number for number in numbers if samplers[number].fast_params is not None], np.intp)
        self._chain = BatchedFastChain([sampler.fast_params for sampler in samplers if sampler.fast_params is not None])
        self._penalties = BatchedPenalties([sampler.penalties_only for sampler in samplers])
        self._edited = [n for n in numbers if samplers[n].edits_logits and samplers[n].penalties_only is None]

    def edit(self, rows: CandidateRows, workspace: Workspace) -> None:
        """Change the logits of each row as its sampler does first."""
        if self._penalties:
            numbers, tokens = self._penalties.recent()
            self._penalties.apply(rows.flat, rows.find(numbers, tokens), numbers)
        for number in self._edited:
            candidates = Candidates(rows.logits[number], workspace)
            candidates.ids = rows.tokens[number]
            self.samplers[number].edit_logits(candidates)

    def choose(self, rows: CandidateRows) -> dict[int, int]:
        """The tokens of the rows that can be done together, by the numbers of their samplers."""
        n_certain = (rows.logits > rows.cuts[:, None]).sum(axis=1)
        chosen = {}
        if self._greedy.size and n_certain[self._greedy].all():
            places = rows.logits[self._greedy].argmax(axis=1)
            chosen.update(_by_number(self._greedy, rows.tokens[self._greedy, places].tolist()))
        if self._usual.size > 1 and (n_certain[self._usual] >= self._chain.counts.ks).all():
            chosen.update(self._draw(rows))
        return chosen

    def _draw(self, rows: CandidateRows) -> dict[int, int]:
        """The tokens of the rows with usual chains; none where it is better to look at each row alone."""
        tokens, logits = rows.tokens[self._usual], rows.logits[self._usual]
        numbers = np.repeat(np.arange(self._usual.size), logits.shape[1])
        largest = build_table(LogitEntries(numbers, tokens.ravel(), logits.ravel()), self._chain.counts)
        table = self._chain.apply(largest)
        if table is None:
            return {}
        shares = np.array([self.samplers[number].next_uniform() for number in self._usual.tolist()])
        return _by_number(self._usual, sample_rows(table, shares))


def _by_number(numbers: Indices, tokens: list[int]) -> dict[int, int]:
    return dict(zip(numbers.tolist(), tokens, strict=True))
