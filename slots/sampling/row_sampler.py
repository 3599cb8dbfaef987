"""The rows of a step, side by side."""

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

_WORTH_THREADS = 100_000
"""Logits of a row from which on several threads compute the probabilities of rows sooner than one."""

Result = SampledToken | Exception


class RowSampler:
    """Chooses the tokens of all rows of a step.

    Rows with the usual samplers are done together, the pass over them on several cores. Rows of which all probabilities
    are computed are done one by one, on several cores, too: numpy gives the interpreter's lock away in its loops over a
    row. It does not in what is left after that, so that for all others threads would only wait for each other.
    """

    def __init__(self, n_vocab: int, n_rows: int, n_threads: int) -> None:
        """`n_rows` is how many rows a step has at most; `n_threads` how many threads llama.cpp computes it with."""
        self._n_vocab = n_vocab
        self._n_threads = n_threads
        self._cores = ThreadTeam(n_rows, n_threads)
        self._workspaces = [Workspace(n_vocab) for _thread in range(self._cores.n)]
        self._together = _Together([])

    def sample(self, samplers: Sequence[Sampler], logits: Logits, rows: Sequence[int]) -> list[Result]:
        """The choice of each sampler for its row, or what it raised. `rows` has the shape (rows, vocabulary); `places`
        says which of them is each sampler's, ascending. These are changed on the way."""
        together = [number for number, sampler in enumerate(samplers) if sampler.fast_params is not None]
        is_together = len(together) > 1 and self._n_vocab <= MAX_VOCAB
        results = self._choose_together(samplers, logits, rows, together) if is_together else {}
        if len(results) == len(samplers):
            return list(results.values())
        heavy = []
        for number, sampler in enumerate(samplers):
            if sampler.needs_softmax:
                heavy.append(number)
            elif number not in results:
                results[number] = _choose(sampler, logits[rows[number]], self._workspaces[0])
        if heavy:
            results.update(self._choose_on_threads(samplers, logits, rows, heavy))
        return [results[number] for number in range(len(samplers))]

    def close(self) -> None:
        """End the threads."""
        self._cores.close()

    def _choose_together(
        self, samplers: Sequence[Sampler], rows: Logits, places: Sequence[int], numbers: Sequence[int]
    ) -> dict[int, Result]:
        """The choices for rows whose samplers are the usual ones."""
        chosen = [samplers[number] for number in numbers]
        if chosen != self._together.samplers:  # most steps have the same ones as the step before
            self._together = _Together(chosen)
        together = self._together
        chosen_rows = np.array([places[number] for number in numbers])
        with no_float_warnings():
            together.edit(rows, chosen_rows, self._workspaces[0])
            table = together.table(rows, chosen_rows, self._n_threads)
            if table is None:
                workspace = self._workspaces[0]
                return {n: _choose(samplers[n], rows[places[n]], workspace, is_edited=True) for n in numbers}
            tokens = sample_rows(table, np.array([share() for share in together.random_shares]))
        return {n: _take(sampler, token) for n, sampler, token in zip(numbers, chosen, tokens, strict=True)}

    def _choose_on_threads(
        self, samplers: Sequence[Sampler], rows: Logits, places: Sequence[int], numbers: Sequence[int]
    ) -> dict[int, Result]:
        """The choices for some rows, each thread doing its share of them."""
        n_threads = min(self._cores.n, len(numbers)) if self._n_vocab >= _WORTH_THREADS else 1

        def choose_share(thread: int) -> dict[int, Result]:
            share = numbers[thread::n_threads]
            return {n: _choose(samplers[n], rows[places[n]], self._workspaces[thread]) for n in share}

        shares = self._cores.map(choose_share, n_threads)
        return {number: result for share in shares for number, result in share.items()}


class _Together:
    """Samplers of several rows, and what they do side by side."""

    def __init__(self, samplers: list[Sampler]) -> None:
        self.samplers = samplers
        usual = [sampler.fast_params for sampler in samplers if sampler.fast_params is not None]
        self._chain = BatchedFastChain(usual)
        self.random_shares = [sampler.next_uniform for sampler in samplers]
        """Give a random number for each."""
        self._masks = [sampler.mask for sampler in samplers]
        self._has_masks = any(self._masks)
        self._penalties = BatchedPenalties([sampler.penalties_only for sampler in samplers])
        self._others = [
            (number, sampler)
            for number, sampler in enumerate(samplers)
            if sampler.edits_logits and sampler.penalties_only is None
        ]

    def table(self, rows: Logits, places: Indices, n_threads: int) -> CandidateTable | None:
        """What the samplers leave of the rows at `places`, shape (samplers,); None where each row has to be looked at
        alone."""
        largest = self._largest(rows, places, n_threads)
        return self._chain.apply(largest) if largest else None

    def _largest(self, rows: Logits, places: Indices, n_threads: int) -> CandidateTable | None:
        wanted = self._chain.counts
        if not self._has_masks:
            found = top_k_rows(rows, places, wanted.ks, n_threads)
            return CandidateTable(*found, wanted.is_candidate.copy(), wanted) if found else None
        try:
            return masked_top_k(rows, places, wanted.ks, self._masks, n_threads)
        except InvalidRequest:  # of one of the grammars, which will be told so
            return None

    def edit(self, rows: Logits, places: Indices, workspace: Workspace) -> None:
        """Change the logits of the rows at `places`, shape (samplers,), as each sampler does first."""
        if self._penalties:
            self._penalties.apply_to_rows(rows, places)
        for number, sampler in self._others:
            sampler.edit_logits(Candidates(rows[places[number]], workspace))


def _choose(sampler: Sampler, row: Logits, workspace: Workspace, *, is_edited: bool = False) -> Result:
    """What goes wrong with one row is its result, and no other row's."""
    try:
        return sampler.sample(row, workspace, is_edited=is_edited)
    except Exception as error:
        return error


def _take(sampler: Sampler, token: int) -> Result:
    """The choice of a token; a grammar may hit its limits at it."""
    try:
        return SampledToken(sampler.accept(token), None)
    except InvalidRequest as error:
        return error
