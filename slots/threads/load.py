"""Load: what contexts on one machine share about it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from slots.threads.shape import Kind

_MIN_CHANGE = 0.6
"""By how many CPUs others have to take more or fewer than counted. More than a half, so that what is between two
numbers does not change all the time."""
_MIN_FEWER = 0.85
"""By how many fewer if no CPU is idle: with another thread of this process, which takes a share of what others want,
they have up to one fewer."""
_MIN_IDLE = 0.3


@dataclass(slots=True)
class _Change:
    version: int = 0
    limit: int | None = None


class MachineLoad:
    """How many CPUs other programs take, as far as the system tells; and how many threads are the most that the machine
    has room for then, found by the steps of one shape and context and taken over by those of the others. For each kind
    of steps, since many threads may still be the fastest for one while they are slow for the other."""

    def __init__(self) -> None:
        self.n_elsewhere = 0
        """Threads of this process that compute something beside the steps at the moment. Any thread may read it."""
        self.n_taken = 0
        """CPUs that this process might use but others do; 0 where the system does not tell."""
        self._changes: dict[tuple[Kind, int], _Change] = {}

    def record_taken(self, n_cpus: float, n_idle: float) -> None:
        """Take in how many CPUs, on average over the last moments, others have taken, and how many were idle."""
        change = n_cpus - self.n_taken
        if change > _MIN_CHANGE or -change > (_MIN_CHANGE if n_idle > _MIN_IDLE else _MIN_FEWER):
            self.n_taken = max(0, round(n_cpus))

    @contextmanager
    def computing(self, n_threads: int) -> Iterator[None]:
        """Meanwhile steps leave cores to so many threads. One thread at a time may call it."""
        self.n_elsewhere = n_threads
        try:
            yield
        finally:
            self.n_elsewhere = 0

    def version(self, kind: Kind) -> int:
        """Returns how many times the limit has changed while as many CPUs were taken as now."""
        return self._change(kind).version

    def limit(self, kind: Kind) -> int | None:
        """Returns the largest number of threads that is not slow while as many CPUs are taken as now; None if nothing
        is known to limit it."""
        return self._change(kind).limit

    def set_limit(self, kind: Kind, limit: int | None) -> None:
        change = self._change(kind)
        change.version += 1
        change.limit = limit

    def _change(self, kind: Kind) -> _Change:
        return self._changes.setdefault((kind, self.n_taken), _Change())
