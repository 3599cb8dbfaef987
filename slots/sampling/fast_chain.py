"""Fast chain: top-k, then top-p, min-p and temperature, which is what nearly all requests use.

Each of these samplers costs a few microseconds, mostly overhead of Python and numpy calls. Here each is computed once
for all rows of a step (`BatchedFastChain`), or without the calls for a single row (`sample_row`). The result is
bit-identical to that of `samplers/truncation.py`, `samplers/temperature.py` and `logits/draw.py` for each row alone.
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
"""`draw` adds the weights of more than 2048 candidates up in another order, which rounds differently."""


@dataclass(frozen=True, slots=True)
class FastChainParams:
    """Options of a fast chain; a sampler that is not in it has its neutral value."""

    top_k: int
    top_p: float
    min_p: float
    min_keep: int
    temperature: float


class BatchedFastChain:
    """The fast chains of several rows, with their options as arrays."""

    def __init__(self, params: Sequence[FastChainParams]) -> None:
        self.counts = RowCounts(np.array([row.top_k for row in params], np.intp))
        self._top_p = np.array([row.top_p for row in params])
        self._has_top_p = bool((self._top_p < 1).any())
        min_keep = np.array([row.min_keep for row in params], np.intp)
        self._min_keep_of_top_p = np.where(self._top_p < 1, min_keep, self.counts.ks)
        self._log_min_p = np.array([math.log(row.min_p) if row.min_p else -math.inf for row in params])
        self._has_min_p = bool((self._log_min_p > -math.inf).any())
        self._is_kept_by_min_p = self.counts.columns < min_keep[:, None]
        self._temperatures = np.array([row.temperature for row in params], np.float32)[:, None]
        # Below this, logits are finite before and after the temperature.
        self._max_logit = MAX_LOGIT * min((1.0, *(row.temperature for row in params)))

    def apply(self, table: CandidateTable) -> CandidateTable | None:
        """Apply top-p, min-p and temperature to the `counts` largest logits of the rows. Changes and returns the table;
        None if logits are so large that each row has to be sampled alone."""
        if not np.abs(table.logits[:, 0]).max() < self._max_logit:
            return None
        self._keep_top_p(table)
        self._keep_min_p(table)
        table.logits = table.logits / self._temperatures
        return table

    def _keep_top_p(self, table: CandidateTable) -> None:
        if self._has_top_p:
            cumulative = table.cumulative_weights()
            n = (cumulative < self._top_p[:, None] * cumulative[:, -1:]).argmin(axis=1) + 1
            table.keep_first(np.maximum(n, self._min_keep_of_top_p))

    def _keep_min_p(self, table: CandidateTable) -> None:
        if self._has_min_p:
            bounds = (table.logits[:, 0] + self._log_min_p).astype(np.float32)
            is_likely = table.logits >= bounds[:, None]
            is_likely |= self._is_kept_by_min_p[:, : is_likely.shape[1]]
            table.is_candidate &= is_likely


def sample_rows(table: CandidateTable, uniforms: Floats64) -> list[int]:
    """Draw a token of each row by its probability; `uniforms` are random numbers in [0, 1), shape (rows,)."""
    cumulative = table.cumulative_weights()
    total = cumulative[:, -1]
    columns = (cumulative > (uniforms * total)[:, None]).argmax(axis=1)
    tokens: list[int] = table.tokens[table.counts.rows, columns].tolist()
    return tokens


def sample_row(candidates: Candidates, params: FastChainParams, rng: np.random.Generator) -> int | None:
    """Apply a fast chain to one row, draw a candidate by its probability and return its index; None if logits are too
    large for the temperature: then only the top-k was applied. Raises InvalidRequest if there is no candidate."""
    candidates.keep_largest(params.top_k)
    max_logit = candidates.max_logit()
    check_max_logit(max_logit)
    if abs(max_logit) / params.temperature >= MAX_LOGIT:
        return None
    n = _n_kept(candidates, max_logit, params)
    logits = candidates.logits[:n]
    if params.temperature != 1:
        logits = logits / np.float32(params.temperature)
    cumulative = list(accumulate(np.exp(logits - logits[0], dtype=np.float64).tolist()))
    check_max_logit(cumulative[-1])
    return bisect_right(cumulative, rng.random() * cumulative[-1])


def _n_kept(candidates: Candidates, max_logit: float, params: FastChainParams) -> int:
    n = len(candidates)
    if params.top_p < 1:
        cumulative = list(accumulate(candidates.softmax().weights.tolist()))
        n = max(bisect_left(cumulative, params.top_p * cumulative[-1]) + 1, params.min_keep)
    if params.min_p > 0:
        bound = float(np.float32(max_logit + math.log(params.min_p)))
        n = max(bisect_right(candidates.logits[:n].tolist(), -bound, key=neg), params.min_keep)
    return n
