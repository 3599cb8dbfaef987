"""Candidate sampler: samples the tokens of a step from only the largest logits of each row."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from slots.llama import Logits, TopTokens
from slots.sampling.logits import kernels
from slots.sampling.logits.candidates import Candidates, nan_logits
from slots.sampling.logits.workspace import Workspace
from slots.sampling.row_sampler import Result, SamplerBatch, accept
from slots.sampling.sampler import Sampler, no_float_warnings

_BITS = 32  # of a token, and of a logit
Tokens = npt.NDArray[np.int32]


class CandidateSampler:
    """Samples rows of which at least the `n_top_logits_needed` largest logits are given.

    The tokens are those that sampling the full row gives, except in rows in which so many tokens tie for the smallest
    of these logits that some are missing: which of them llama.cpp returns may change from call to call. If one of them
    would be needed, none of them is sampled, unless there are no other candidates.
    """

    def __init__(self, n_candidates: int) -> None:
        self._workspace = Workspace(n_candidates)
        self._kernel = kernels.sampling_kernel.SamplingKernel() if kernels.IS_COMPILED else None
        self._batch = SamplerBatch([])

    def sample(self, samplers: Sequence[Sampler], top: TopTokens) -> list[Result]:
        """Return the token of each sampler for its row, in order, or the exception that it raised."""
        self._batch = batch = self._batch.updated(samplers)
        tokens, logits = _sort_by_token(top)
        results = self._sample_fused(batch, tokens, logits)
        for n, sampler in enumerate(samplers):
            if n not in results:
                results[n] = self._sample_row(sampler, tokens[n], logits[n])
        return [results[n] for n in range(len(samplers))]

    def _sample_fused(self, batch: SamplerBatch, tokens: Tokens, logits: Logits) -> dict[int, Result]:
        chains = {n: fused.kernel_row.chain for n, fused in batch.fused.items() if not fused.needs_numpy}
        if not (chains and self._kernel):
            return {}
        sampled = self._kernel.sample(list(chains.values()), logits, list(chains), [], 1, tokens)
        return {n: accept(batch.samplers[n], token) for n, token in zip(chains, sampled, strict=True)}

    def _sample_row(self, sampler: Sampler, tokens: Tokens, logits: Logits) -> Result:
        """Sample one row alone. An exception is its result, so that it does not affect other rows."""
        cutoff = logits.min()
        if np.isnan(cutoff):
            return nan_logits()
        candidates = Candidates(logits, self._workspace)
        candidates.ids = tokens.astype(np.intp)
        try:
            with no_float_warnings():
                sampler.edit_logits(candidates)
            above_cutoff = (candidates.logits > cutoff).nonzero()[0]
            if above_cutoff.size:
                candidates.keep(above_cutoff)
            return sampler.sample_from(candidates, is_edited=True)
        except Exception as error:
            return error


def _sort_by_token(top: TopTokens) -> tuple[Tokens, Logits]:
    """Return the tokens of each row, ascending: the lower token has the lower index, as in a full row. And their
    logits."""
    # One integer that orders by token and holds the logit.
    packed = top.tokens.astype(np.int64) << _BITS
    packed |= top.logits.view(np.uint32)
    packed.sort(axis=1)
    return (packed >> _BITS).astype(np.int32), (packed & 0xFFFFFFFF).astype(np.uint32).view(np.float32)
