"""Row sampler: samples the tokens of a step from full rows of logits."""

from collections.abc import Callable, Sequence

from slots.llama import Logits
from slots.sampling.fused_chain import KernelRow
from slots.sampling.logits import kernels
from slots.sampling.logits.candidates import nan_logits, no_token_left
from slots.sampling.logits.threads import ThreadTeam
from slots.sampling.logits.workspace import Workspace
from slots.sampling.sampler import SampledToken, Sampler, no_float_warnings

_MIN_VOCAB_FOR_THREADS = 100_000
"""From this row length on, several threads compute the probabilities of several rows faster than one."""
_MIN_LOGITS_PER_THREAD = 75_000
"""From here on, several threads run the kernel faster than one."""

Result = SampledToken | Exception


class SamplerBatch:
    """Samplers of several rows, by how their rows are computed. Most steps have the same samplers as the step before
    and reuse its batch."""

    def __init__(self, samplers: Sequence[Sampler]) -> None:
        self.samplers = list(samplers)
        self._have_proposals = [sampler.has_proposal for sampler in samplers]
        self.fused = {n: each.fused for n, each in enumerate(samplers) if each.fused and not each.has_proposal}
        self.chains = [each.kernel_row.chain for each in self.fused.values()]
        self.needs_numpy = any(each.needs_numpy for each in self.fused.values())
        others = [n for n in range(len(samplers)) if n not in self.fused]
        self.with_softmax = [n for n in others if samplers[n].traits.needs_softmax]
        self.without_softmax = [n for n in others if not samplers[n].traits.needs_softmax]

    def updated(self, samplers: Sequence[Sampler]) -> "SamplerBatch":
        have_proposals = [sampler.has_proposal for sampler in samplers]
        is_same = self.samplers == samplers and self._have_proposals == have_proposals
        return self if is_same else SamplerBatch(samplers)


class RowSampler:
    """Samples the tokens of all rows of a step.

    The kernel samples all rows with fused chains in one call, except those for which a draft model drew a token. Rows
    of which all probabilities are computed are spread over threads, because numpy releases the GIL in loops over a row.
    The remaining rows are sampled one after the other: their work holds the GIL.
    """

    def __init__(
        self, n_vocab: int, n_rows: int, max_threads: int, n_threads_in_use: Callable[[], int] | None = None
    ) -> None:
        """`n_rows` is the maximum number of rows of a step, `max_threads` that of llama.cpp's threads;
        `n_threads_in_use` returns the number of those that have just computed the rows, by default `max_threads`."""
        self._n_vocab = n_vocab
        self._team = ThreadTeam(n_rows, max_threads, n_threads_in_use)
        self._workspaces = [Workspace(n_vocab) for _thread in range(self._team.n_max)]
        self._kernel = kernels.sampling_kernel.SamplingKernel() if kernels.IS_COMPILED else None
        self._batch = SamplerBatch([])

    def sample(self, samplers: Sequence[Sampler], logits: Logits, rows: Sequence[int]) -> list[Result]:
        """Return the token of each sampler, or the exception that it raised. `logits` has the shape (rows, vocabulary);
        `rows` are the indices of the samplers' rows in it, ascending. These rows are changed."""
        self._batch = batch = self._batch.updated(samplers)
        results = self._sample_fused(batch, logits, rows)
        for n in batch.without_softmax:
            results[n] = _sample(samplers[n], logits[rows[n]], self._workspaces[0])
        if batch.with_softmax:
            results.update(self._sample_on_threads(samplers, logits, rows, batch.with_softmax))
        return [results[n] for n in range(len(samplers))]

    def close(self) -> None:
        self._team.close()

    def _sample_fused(self, batch: SamplerBatch, logits: Logits, rows: Sequence[int]) -> dict[int, Result]:
        if not (batch.fused and self._kernel):
            return {}
        failed: dict[int, Result] = {}
        selected, chains = list(batch.fused), batch.chains
        masks = []
        if batch.needs_numpy:
            prepared, failed = self._prepare(batch, logits, rows)
            selected = list(prepared)
            chains, masks = [row.chain for row in prepared.values()], [row.allowed for row in prepared.values()]
        n_threads = self._team.n_in_use()
        if len(chains) == 1 or len(chains) * self._n_vocab < _MIN_LOGITS_PER_THREAD * n_threads:
            n_threads = 1
        tokens = self._kernel.sample(chains, logits, [rows[n] for n in selected], masks, n_threads)
        sampled = {n: accept(batch.samplers[n], token) for n, token in zip(selected, tokens, strict=True)}
        return sampled | failed

    def _prepare(
        self, batch: SamplerBatch, logits: Logits, rows: Sequence[int]
    ) -> tuple[dict[int, KernelRow], dict[int, Result]]:
        prepared: dict[int, KernelRow] = {}
        failed: dict[int, Result] = {}
        with no_float_warnings():
            for n, fused in batch.fused.items():
                try:
                    prepared[n] = fused.prepare(logits[rows[n]], self._workspaces[0])
                except Exception as error:
                    failed[n] = error
        return prepared, failed

    def _sample_on_threads(
        self, samplers: Sequence[Sampler], logits: Logits, rows: Sequence[int], selected: Sequence[int]
    ) -> dict[int, Result]:
        n_threads = min(self._team.n, len(selected)) if self._n_vocab >= _MIN_VOCAB_FOR_THREADS else 1

        def sample_share(thread: int) -> dict[int, Result]:
            share = selected[thread::n_threads]
            return {n: _sample(samplers[n], logits[rows[n]], self._workspaces[thread]) for n in share}

        shares = self._team.map(sample_share, n_threads)
        return {n: result for share in shares for n, result in share.items()}


def _sample(sampler: Sampler, row: Logits, workspace: Workspace) -> Result:
    """Sample one row. An exception is its result, so that it does not affect other rows."""
    try:
        return sampler.sample(row, workspace)
    except Exception as error:
        return error


def accept(sampler: Sampler, token: int) -> Result:
    """Make a result of what the kernel returned for a row. An exception is one, too, as in `_sample`."""
    if token < 0:
        return no_token_left() if token == kernels.sampling_kernel.NO_TOKEN_LEFT else nan_logits()
    try:
        return SampledToken(sampler.accept(token), None)
    except Exception as error:
        return error
