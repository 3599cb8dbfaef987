"""Row sampler: samples the tokens of a step from full rows of logits."""

from collections.abc import Sequence

import numpy as np

from slots.errors import InvalidRequest
from slots.llama import Logits
from slots.sampling.candidate_table import MAX_VOCAB, CandidateTable, masked_top_k
from slots.sampling.fast_chain import BatchedFastChain, sample_rows
from slots.sampling.logits.candidates import Candidates
from slots.sampling.logits.threads import ThreadTeam
from slots.sampling.logits.top_k import top_k_rows
from slots.sampling.logits.workspace import Indices, Workspace
from slots.sampling.sampler import SampledToken, Sampler, no_float_warnings
from slots.sampling.samplers.penalties import BatchedPenalties

_MIN_VOCAB_FOR_THREADS = 100_000
"""From this row length on, several threads compute the probabilities of several rows faster than one."""

Result = SampledToken | Exception


class SamplerBatch:
    """Samplers of several rows, and the parts of their chains that are computed for many rows at once. Most steps have
    the same samplers as the step before and reuse its batch."""

    def __init__(self, samplers: Sequence[Sampler]) -> None:
        self.samplers = list(samplers)
        traits = [sampler.traits for sampler in samplers]
        self.masks = [each.mask for each in traits]
        self.has_masks = any(self.masks)
        self.penalties = BatchedPenalties([each.penalties_only for each in traits])
        # Rows that are edited by more than the penalties.
        self.other_edits = [n for n, each in enumerate(traits) if each.edits_logits and each.penalties_only is None]
        self.argmax_rows: Indices = np.array([n for n, each in enumerate(traits) if each.is_plain_argmax], np.intp)
        fast = {n: each.fast_params for n, each in enumerate(traits) if each.fast_params is not None}
        self.fast_rows: Indices = np.array(list(fast), np.intp)
        self.fast_chain = BatchedFastChain(list(fast.values()))
        self._next_uniforms = [samplers[n].next_uniform for n in fast]

    def updated(self, samplers: Sequence[Sampler]) -> "SamplerBatch":
        return self if self.samplers == samplers else SamplerBatch(samplers)

    def sample_fast_rows(self, table: CandidateTable) -> list[int] | None:
        """Sample the rows with a fast chain from a table of their `top_k` largest logits. Returns their tokens; None if
        each row has to be sampled alone."""
        remaining = self.fast_chain.apply(table)
        if remaining is None:
            return None
        return sample_rows(remaining, np.array([next_uniform() for next_uniform in self._next_uniforms]))


class RowSampler:
    """Samples the tokens of all rows of a step.

    Rows with a fast chain are sampled together, with a compiled, multithreaded search for their largest logits. Rows
    of which all probabilities are computed are spread over threads, because numpy releases the GIL in loops over a
    row. The remaining rows are sampled one after the other: their work holds the GIL.
    """

    def __init__(self, n_vocab: int, n_rows: int, n_threads: int) -> None:
        """`n_rows` is the maximum number of rows of a step, `n_threads` the number of llama.cpp's threads."""
        self._n_vocab = n_vocab
        self._n_threads = n_threads
        self._team = ThreadTeam(n_rows, n_threads)
        self._workspaces = [Workspace(n_vocab) for _thread in range(self._team.n)]
        self._batch = SamplerBatch([])

    def sample(self, samplers: Sequence[Sampler], logits: Logits, rows: Sequence[int]) -> list[Result]:
        """Return the token of each sampler, or the exception that it raised. `logits` has the shape (rows, vocabulary);
        `rows` are the indices of the samplers' rows in it, ascending. These rows are changed."""
        fast = [n for n, sampler in enumerate(samplers) if sampler.traits.fast_params and not sampler.has_proposal]
        is_batched = len(fast) > 1 and self._n_vocab <= MAX_VOCAB
        results = self._sample_batch(samplers, logits, rows, fast) if is_batched else {}
        if len(results) == len(samplers):
            return list(results.values())
        expensive = []
        for n, sampler in enumerate(samplers):
            if sampler.traits.needs_softmax:
                expensive.append(n)
            elif n not in results:
                results[n] = _sample(sampler, logits[rows[n]], self._workspaces[0])
        if expensive:
            results.update(self._sample_on_threads(samplers, logits, rows, expensive))
        return [results[n] for n in range(len(samplers))]

    def close(self) -> None:
        self._team.close()

    def _sample_batch(
        self, samplers: Sequence[Sampler], logits: Logits, rows: Sequence[int], selected: Sequence[int]
    ) -> dict[int, Result]:
        self._batch = batch = self._batch.updated([samplers[n] for n in selected])
        workspace = self._workspaces[0]
        batch_rows = np.array([rows[n] for n in selected])
        with no_float_warnings():
            if batch.penalties:
                batch.penalties.apply_to_rows(logits, batch_rows)
            for index in batch.other_edits:
                batch.samplers[index].edit_logits(Candidates(logits[batch_rows[index]], workspace))
            table = self._top_k_table(batch, logits, batch_rows)
            tokens = batch.sample_fast_rows(table) if table else None
            if tokens is None:
                return {n: _sample(samplers[n], logits[rows[n]], workspace, is_edited=True) for n in selected}
        return {n: _accept(sampler, token) for n, sampler, token in zip(selected, batch.samplers, tokens, strict=True)}

    def _top_k_table(self, batch: SamplerBatch, logits: Logits, rows: Indices) -> CandidateTable | None:
        counts = batch.fast_chain.counts
        if not batch.has_masks:
            largest = top_k_rows(logits, rows, counts.ks, self._n_threads)
            return CandidateTable(*largest, counts.is_candidate.copy(), counts) if largest else None
        try:
            return masked_top_k(logits, rows, counts.ks, batch.masks, self._n_threads)
        except InvalidRequest:  # of one grammar only: sampling each row alone raises it for that row
            return None

    def _sample_on_threads(
        self, samplers: Sequence[Sampler], logits: Logits, rows: Sequence[int], selected: Sequence[int]
    ) -> dict[int, Result]:
        n_threads = min(self._team.n, len(selected)) if self._n_vocab >= _MIN_VOCAB_FOR_THREADS else 1

        def sample_share(thread: int) -> dict[int, Result]:
            share = selected[thread::n_threads]
            return {n: _sample(samplers[n], logits[rows[n]], self._workspaces[thread]) for n in share}

        shares = self._team.map(sample_share, n_threads)
        return {n: result for share in shares for n, result in share.items()}


def _sample(sampler: Sampler, row: Logits, workspace: Workspace, *, is_edited: bool = False) -> Result:
    """Sample one row. An exception is its result, so that it does not affect other rows."""
    try:
        return sampler.sample(row, workspace, is_edited=is_edited)
    except Exception as error:
        return error


def _accept(sampler: Sampler, token: int) -> Result:
    try:
        return SampledToken(sampler.accept(token), None)
    except InvalidRequest as error:
        return error
