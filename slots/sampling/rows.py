"""The rows of a step, side by side."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from slots.errors import InvalidRequest
from slots.llama import Logits
from slots.sampling.candidates import Candidates
from slots.sampling.columns import Indices
from slots.sampling.masked_rows import most_looked_for
from slots.sampling.penalties import penalize_rows
from slots.sampling.sampler import Choice, Sampler, quiet
from slots.sampling.table import Table, n_columns_for
from slots.sampling.usual import UsualChain, draw_from_rows
from slots.sampling.workspace import Workspace

_WORTH_THREADS = 100_000
"""Logits of a row from which on several threads compute the probabilities of rows sooner than one."""

Result = Choice | Exception


class RowSampler:
    """Chooses the tokens of all rows of a step.

    Rows with the usual samplers are done together. Rows of which all probabilities are computed are done on several
    cores: numpy gives the interpreter's lock away in its loops over a row. It does not in what is left after that, so
    that for all others threads would only wait for each other.
    """

    def __init__(self, n_vocab: int, n_threads: int) -> None:
        self._n_vocab = n_vocab
        self._workspaces = [Workspace(n_vocab) for _thread in range(n_threads)]
        self._together = _Together([])
        self._others = ThreadPoolExecutor(n_threads - 1, "sampling") if n_threads > 1 else None

    def choose(self, samplers: Sequence[Sampler], rows: Logits, places: Sequence[int]) -> list[Result]:
        """The choice of each sampler for its row, or what it raised. `rows` has the shape (rows, vocabulary); `places`
        says which of them is each sampler's, ascending. These are changed on the way."""
        together = [number for number, sampler in enumerate(samplers) if sampler.usual is not None]
        results = self._choose_together(samplers, rows, places, together) if len(together) > 1 else {}
        heavy = []
        for number, sampler in enumerate(samplers):
            if sampler.weighs_all:
                heavy.append(number)
            elif number not in results:
                results[number] = _choose(sampler, rows[places[number]], self._workspaces[0])
        if heavy:
            results.update(self._choose_on_threads(samplers, rows, places, heavy))
        return [results[number] for number in range(len(samplers))]

    def close(self) -> None:
        """End the threads."""
        if self._others is not None:
            self._others.shutdown()

    def _choose_together(
        self, samplers: Sequence[Sampler], rows: Logits, places: Sequence[int], numbers: Sequence[int]
    ) -> dict[int, Result]:
        """The choices for rows whose samplers are the usual ones, or none if the rows are too short for that."""
        chosen = [samplers[number] for number in numbers]
        if chosen != self._together.samplers:  # most steps have the same ones as the step before
            self._together = _Together(chosen)
        together = self._together
        n_columns = n_columns_for(self._n_vocab, self._workspaces[0].maxima.size, together.most_looked_for)
        if n_columns is None:
            return {}
        chosen_rows = np.array([places[number] for number in numbers])
        with quiet():
            together.edit(rows, chosen_rows, self._workspaces[0])
            table = together.table(rows, chosen_rows, n_columns)
            if table is None:
                workspace = self._workspaces[0]
                return {n: _choose(samplers[n], rows[places[n]], workspace, is_edited=True) for n in numbers}
            tokens = draw_from_rows(table, np.array([sampler.random_share() for sampler in chosen]))
        return {n: _take(sampler, token) for n, sampler, token in zip(numbers, chosen, tokens, strict=True)}

    def _choose_on_threads(
        self, samplers: Sequence[Sampler], rows: Logits, places: Sequence[int], numbers: Sequence[int]
    ) -> dict[int, Result]:
        """The choices for some rows, each thread doing its share of them."""
        n_threads = min(len(self._workspaces), len(numbers))
        if self._n_vocab < _WORTH_THREADS:
            n_threads = min(n_threads, 1)

        def choose_share(thread: int) -> dict[int, Result]:
            share = numbers[thread::n_threads]
            return {n: _choose(samplers[n], rows[places[n]], self._workspaces[thread]) for n in share}

        others = [self._others.submit(choose_share, n) for n in range(1, n_threads)] if self._others else []
        results = choose_share(0)
        for other in others:
            results.update(other.result())
        return results


class _Together:
    """Samplers of several rows, and what they do side by side."""

    def __init__(self, samplers: list[Sampler]) -> None:
        self.samplers = samplers
        usual = [sampler.usual for sampler in samplers if sampler.usual is not None]
        self._chain = UsualChain(usual)
        self._masks = [sampler.mask for sampler in samplers]
        self._has_masks = any(self._masks)
        self.most_looked_for = most_looked_for(max((of.top_k for of in usual), default=0), is_masked=self._has_masks)
        """Logits of a row, for the top-k."""
        penalties = [(number, sampler.only_penalties) for number, sampler in enumerate(samplers)]
        self._penalties = [penalty for _number, penalty in penalties if penalty is not None]
        self._penalized = [number for number, penalty in penalties if penalty is not None]
        self._others = [
            (number, sampler)
            for number, sampler in enumerate(samplers)
            if sampler.has_edits and sampler.only_penalties is None
        ]

    def table(self, rows: Logits, places: Indices, n_columns: int) -> Table | None:
        """What the samplers leave of the rows; None where each row has to be looked at alone."""
        try:
            return self._chain.apply(rows, places, n_columns, self._masks if self._has_masks else None)
        except InvalidRequest:  # of one of the grammars, which will be told so
            return None

    def edit(self, rows: Logits, places: Indices, workspace: Workspace) -> None:
        """Change the logits of the rows at `places`, shape (samplers,), as each sampler does first."""
        if self._penalties:
            penalize_rows(self._penalties, rows, places[self._penalized])
        for number, sampler in self._others:
            sampler.edit(Candidates(rows[places[number]], workspace))


def _choose(sampler: Sampler, row: Logits, workspace: Workspace, *, is_edited: bool = False) -> Result:
    """What goes wrong with one row is its result, and no other row's."""
    try:
        return sampler.choose(row, workspace, is_edited=is_edited)
    except Exception as error:
        return error


def _take(sampler: Sampler, token: int) -> Result:
    """The choice of a token; a grammar may hit its limits at it."""
    try:
        return Choice(sampler.take(token), None)
    except InvalidRequest as error:
        return error
