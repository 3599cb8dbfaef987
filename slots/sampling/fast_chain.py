"""The usual chain, for many rows at once.

Nearly all requests use a top-k, and after it nothing but top-p, min-p and the temperature. Each of these costs a few
microseconds, most of which are not the computation but Python's and numpy's way to it. Here each is done once for all
rows of a step. The result is the same, to the last bit, as that of the samplers in `truncation`, `temperature` and
`draw` for each row alone.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import neg

import numpy as np

from slots.sampling.candidate_table import CandidateTable, RowCounts
from slots.sampling.logits.candidates import MAX_LOGIT, Candidates, check_max_logit
from slots.sampling.logits.workspace import Floats64

MAX_TOP_K = 512
"""Of a row here; drawing from many more is done in another way."""


@dataclass(frozen=True, slots=True)
class FastChainParams:
    """The options of such a chain, of a sampler that is not in it the neutral value."""

    top_k: int
    top_p: float
    min_p: float
    min_keep: int
    temperature: float


class BatchedFastChain:
    """The chains of several rows, with their options side by side."""

    def __init__(self, params: Sequence[FastChainParams]) -> None:
        self.counts = RowCounts(np.array([option.top_k for option in params], np.intp))
        """Of the top-k of each row."""
        self._top_p = np.array([option.top_p for option in params])
        self._has_top_p = bool((self._top_p < 1).any())
        min_keep = np.array([option.min_keep for option in params], np.intp)
        self._least_of_top_p = np.where(self._top_p < 1, min_keep, self.counts.ks)
        self._log_min_p = np.array([math.log(option.min_p) if option.min_p else -math.inf for option in params])
        self._has_min_p = bool((self._log_min_p > -math.inf).any())
        self._is_kept_by_min_p = self.counts.columns < min_keep[:, None]
        self._temperatures = np.array([option.temperature for option in params], np.float32)[:, None]
        self._most = MAX_LOGIT * min((1.0, *(option.temperature for option in params)))
        """A peak below which the logits are numbers, before and after the temperature."""

    def apply(self, table: CandidateTable) -> CandidateTable | None:
        """What the chains leave of the largest logits of their rows, as many as `counts` says. The table is
        changed and returned; None where it is better to look at each row alone."""
        if not np.abs(table.logits[:, 0]).max() < self._most:
            return None
        self._keep_top_p(table)
        self._keep_min_p(table)
        table.logits = table.logits / self._temperatures
        return table

    def _keep_top_p(self, table: CandidateTable) -> None:
        if self._has_top_p:
            mass = table.cumulative_weights()
            n = (mass < self._top_p[:, None] * mass[:, -1:]).argmin(axis=1) + 1
            table.keep_first(np.maximum(n, self._least_of_top_p))

    def _keep_min_p(self, table: CandidateTable) -> None:
        if self._has_min_p:
            bounds = (table.logits[:, 0] + self._log_min_p).astype(np.float32)
            is_likely = table.logits >= bounds[:, None]
            is_likely |= self._is_kept_by_min_p[:, : is_likely.shape[1]]
            table.is_candidate &= is_likely


def sample_rows(table: CandidateTable, shares: Floats64) -> list[int]:
    """Draw one of the candidates of each row by their probabilities; `shares` are random numbers, shape (rows,).

    Returns the tokens.
    """
    mass = table.cumulative_weights()
    total = mass[:, -1]
    columns = (mass > (shares * total)[:, None]).argmax(axis=1)
    tokens: list[int] = table.tokens[table.counts.rows, columns].tolist()
    return tokens


def sample_row(candidates: Candidates, options: FastChainParams, random: np.random.Generator) -> int | None:
    """Do what a usual chain does after its edits, and draw one of the candidates that it leaves by their probabilities.
    The result is the same, to the last bit, as that of the samplers in `truncation`, `temperature` and `draw`.

    Returns its place. None where logits are too large for the temperature; the candidates are the same as before then,
    but for the top-k. Raises InvalidRequest when no candidate can be chosen.
    """
    candidates.keep_largest(options.top_k)
    peak = candidates.max_logit()
    check_max_logit(peak)
    if abs(peak) / options.temperature >= MAX_LOGIT:
        return None
    n = _n_kept(candidates, peak, options)
    logits = candidates.logits[:n]
    if options.temperature != 1:
        logits = logits / np.float32(options.temperature)
    mass = list(accumulate(np.exp(logits - logits[0], dtype=np.float64).tolist()))
    check_max_logit(mass[-1])
    return bisect_right(mass, random.random() * mass[-1])


def _n_kept(candidates: Candidates, peak: float, options: FastChainParams) -> int:
    """How many of the first candidates top-p and min-p leave."""
    n = len(candidates)
    if options.top_p < 1:
        reached = list(accumulate(candidates.softmax().weights.tolist()))
        n = max(bisect_left(reached, options.top_p * reached[-1]) + 1, options.min_keep)
    if options.min_p > 0:
        bound = float(np.float32(peak + math.log(options.min_p)))
        n = max(bisect_right(candidates.logits[:n].tolist(), -bound, key=neg), options.min_keep)
    return n
