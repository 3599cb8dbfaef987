"""The rows of a step, side by side."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from slots.llama import Logits
from slots.sampling.columns import n_columns
from slots.sampling.sampler import Begun, Choice, Sampler, quiet
from slots.sampling.workspace import Workspace

_WORTH_FOLDING = 1_000_000
"""Logits of a step that several threads fold sooner than one, with the time that it takes to wake them."""
_WORTH_COMPUTING = 60_000
"""Logits of a step whose exponentials several threads compute sooner than one."""


class RowSampler:
    """Chooses the tokens of all rows of a step, on several cores where there are enough logits for that.

    Numpy gives the interpreter's lock away in its loops over a row, and only there. So a row of which all logits are
    to be computed with is a thread's business from beginning to end; of the others the threads only do what reads all
    of the row, and one of them does the rest, since they would wait for the lock anyway.
    """

    def __init__(self, n_vocab: int, n_threads: int, n_rows: int) -> None:
        """`n_rows` is the most that a step has."""
        self._n_vocab = n_vocab
        self._workspaces = [Workspace(n_vocab) for _thread in range(n_threads)]
        self._maxima = np.empty((n_rows, n_columns(n_vocab)), np.float32)
        self._others = ThreadPoolExecutor(n_threads - 1, "sampling") if n_threads > 1 else None

    def choose(self, samplers: Sequence[Sampler], rows: Logits) -> list[Choice | Exception]:
        """The choice of each sampler for its row of `rows`, shape (samplers, vocabulary), or what it raised."""
        tasks = [_Task(*of_row) for of_row in zip(samplers, rows, self._maxima, strict=False)]
        light = [task for task in tasks if task.sampler.is_light]
        heavy = [task for task in tasks if not task.sampler.is_light]
        with quiet():
            if self._are_worth_threads(light, _WORTH_FOLDING):
                for task in light:
                    task.begin(self._workspaces[0])
                self._spread(_Task.fold, light)
                for task in light:
                    task.finish()
            else:
                for task in light:
                    task.choose(self._workspaces[0])
            if self._are_worth_threads(heavy, _WORTH_COMPUTING):
                self._spread(_Task.choose, heavy)
            else:
                for task in heavy:
                    task.choose(self._workspaces[0])
        return [task.result for task in tasks]

    def close(self) -> None:
        """End the threads."""
        if self._others is not None:
            self._others.shutdown()

    def _are_worth_threads(self, tasks: Sequence["_Task"], n_logits: int) -> bool:
        return self._others is not None and len(tasks) > 1 and len(tasks) * self._n_vocab >= n_logits

    def _spread(self, work: Callable[["_Task", Workspace], None], tasks: Sequence["_Task"]) -> None:
        """Do some work on all tasks, each thread on its share of them."""
        n_threads = min(len(self._workspaces), len(tasks))

        def work_on_share(thread: int) -> None:
            with quiet():  # which is a thread's own
                for task in tasks[thread::n_threads]:
                    work(task, self._workspaces[thread])

        others = [self._others.submit(work_on_share, n) for n in range(1, n_threads)] if self._others else []
        work_on_share(0)
        for other in others:
            other.result()


class _Task:
    """A row that a token is to be chosen for. What goes wrong is its result, and nobody else's."""

    def __init__(self, sampler: Sampler, row: Logits, maxima: Logits) -> None:
        self.sampler = sampler
        self.result: Choice | Exception = RuntimeError("no token was chosen")
        self._row = row
        self._maxima = maxima
        self._begun: Begun | None = None

    def choose(self, workspace: Workspace) -> None:
        self.begin(workspace)
        self.finish()

    def begin(self, workspace: Workspace) -> None:
        try:
            self._begun = self.sampler.begin(self._row, workspace)
        except Exception as error:
            self.result = error

    def fold(self, _workspace: Workspace) -> None:
        if self._begun is not None:
            self._begun.candidates.fold(self._maxima)

    def finish(self) -> None:
        if self._begun is None:
            return
        try:
            self.result = self.sampler.finish(self._begun)
        except Exception as error:
            self.result = error
