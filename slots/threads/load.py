"""Load: what contexts on one machine share about it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from slots.threads.shape import Kind


@dataclass(slots=True)
class _Change:
    version: int = 0
    limit: int | None = None


class MachineLoad:
    """Whether other programs use the machine, and how many threads are the most that it has room for, found by the
    steps of one shape and context and taken over by those of the others. For each kind of steps, since many threads may
    still be the fastest for one while they are slow for the other."""

    def __init__(self) -> None:
        self.n_elsewhere = 0
        """Threads of this process that compute something beside the steps at the moment. Any thread may read it."""
        self._changes: dict[Kind, _Change] = {"few": _Change(), "many": _Change()}

    @contextmanager
    def computing(self, n_threads: int) -> Iterator[None]:
        """Meanwhile steps leave cores to so many threads. One thread at a time may call it."""
        self.n_elsewhere = n_threads
        try:
            yield
        finally:
            self.n_elsewhere = 0

    def version(self, kind: Kind) -> int:
        """Returns how many times the limit has changed."""
        return self._changes[kind].version

    def limit(self, kind: Kind) -> int | None:
        """Returns the largest number of threads that is not slow; None if nothing is known to limit it."""
        return self._changes[kind].limit

    def set_limit(self, kind: Kind, limit: int | None) -> None:
        change = self._changes[kind]
        change.version += 1
        change.limit = limit
