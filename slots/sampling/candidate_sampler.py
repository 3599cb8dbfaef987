"""Candidate sampler: samples the tokens of a step from only the largest logits of each row."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from slots.llama import Logits, TopTokens
from slots.sampling.candidate_table import LogitEntries, build_table
from slots.sampling.logits.candidates import Candidates, nan_logits
from slots.sampling.logits.workspace import Floats32, Indices, Workspace
from slots.sampling.row_sampler import Result, SamplerBatch
from slots.sampling.sampler import SampledToken, Sampler, no_float_warnings

_BITS = 32  # of a token, and of a logit


class CandidateRows:
    """The largest logits of each row with their tokens, both of shape (rows, candidates) and at first in any order."""

    def __init__(self, tokens: npt.NDArray[np.int32], logits: Logits) -> None:
        # One integer that orders by token and holds the logit.
        packed = tokens.astype(np.int64) << _BITS
        packed |= logits.view(np.uint32)
        packed.sort(axis=1)
        self.tokens: Indices = packed >> _BITS  # ascending: the lower token has the lower index, as in a full row
        # The logits row by row, and one more that belongs to no token.
        self.flat = np.zeros(logits.size + 1, np.float32)
        self.logits: Logits = self.flat[:-1].reshape(logits.shape)
        self.logits[:] = (packed & 0xFFFFFFFF).astype(np.uint32).view(np.float32)
        self.cutoffs: Floats32 = logits.min(axis=1)
        """Upper bound of the logits that are missing, shape (rows,); NaN if a logit is NaN."""
        rows = np.arange(len(logits))[:, None] << _BITS
        self._keys: npt.NDArray[np.int64] = (self.tokens | rows).ravel()

    def find(self, rows: Indices, tokens: Indices) -> Indices:
        """Return the indices of tokens of some rows in `flat`; the last index of all for a token that is no candidate.
        All have the shape (tokens,)."""
        keys = (rows << _BITS) | tokens
        indices = self._keys.searchsorted(keys)
        is_present = self._keys.take(indices, mode="clip") == keys
        return np.where(is_present, indices, self._keys.size)


class CandidateSampler:
    """Samples rows of which at least the `n_top_logits_needed` largest logits are given.

    The tokens are those that sampling the full row gives, except in rows in which so many tokens tie for the smallest
    of these logits that some are missing: which of them llama.cpp returns may change from call to call. If one of them
    would be needed, none of them is sampled, unless there are no other candidates.
    """

    def __init__(self, n_candidates: int) -> None:
        self._workspace = Workspace(n_candidates)
        self._batch = SamplerBatch([])

    def sample(self, samplers: Sequence[Sampler], top: TopTokens) -> list[Result]:
        """Return the token of each sampler for its row, in order, or the exception that it raised."""
        self._batch = batch = self._batch.updated(samplers)
        with no_float_warnings():
            rows = CandidateRows(top.tokens, top.logits)
            self._edit(batch, rows)
            tokens = _sample_batch(batch, rows)
        return [
            SampledToken(sampler.accept(tokens[n]), None) if n in tokens else self._sample_row(sampler, rows, n)
            for n, sampler in enumerate(samplers)
        ]

    def _edit(self, batch: SamplerBatch, candidate_rows: CandidateRows) -> None:
        if batch.penalties:
            rows, tokens = batch.penalties.recent_tokens()
            batch.penalties.apply(candidate_rows.flat, candidate_rows.find(rows, tokens), rows)
        for row in batch.other_edits:
            candidates = Candidates(candidate_rows.logits[row], self._workspace)
            candidates.ids = candidate_rows.tokens[row]
            batch.samplers[row].edit_logits(candidates)

    def _sample_row(self, sampler: Sampler, candidate_rows: CandidateRows, row: int) -> Result:
        """Sample one row alone. An exception is its result, so that it does not affect other rows."""
        cutoff = candidate_rows.cutoffs[row]
        if np.isnan(cutoff):
            return nan_logits()
        candidates = Candidates(candidate_rows.logits[row], self._workspace)
        candidates.ids = candidate_rows.tokens[row]
        above_cutoff = (candidates.logits > cutoff).nonzero()[0]
        if above_cutoff.size:
            candidates.keep(above_cutoff)
        try:
            return sampler.sample_from(candidates, is_edited=True)
        except Exception as error:
            return error


def _sample_batch(batch: SamplerBatch, candidate_rows: CandidateRows) -> dict[int, int]:
    """Sample the rows that can be done together. Returns tokens by row."""
    n_above_cutoff = (candidate_rows.logits > candidate_rows.cutoffs[:, None]).sum(axis=1)
    sampled: dict[int, int] = {}
    greedy, fast = batch.argmax_rows, batch.fast_rows
    if greedy.size and n_above_cutoff[greedy].all():
        indices = candidate_rows.logits[greedy].argmax(axis=1)
        sampled.update(zip(greedy.tolist(), candidate_rows.tokens[greedy, indices].tolist(), strict=True))
    if fast.size > 1 and (n_above_cutoff[fast] >= batch.fast_chain.counts.ks).all():
        tokens, logits = candidate_rows.tokens[fast], candidate_rows.logits[fast]
        table_rows = np.repeat(np.arange(fast.size), logits.shape[1])
        entries = LogitEntries(table_rows, tokens.ravel(), logits.ravel())
        fast_tokens = batch.sample_fast_rows(build_table(entries, batch.fast_chain.counts))
        if fast_tokens is not None:
            sampled.update(zip(fast.tolist(), fast_tokens, strict=True))
    return sampled
