"""Thread team: calls a function for several parts of a step in parallel."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

try:
    from slots.sampling.logits.openmp import HAS_OPENMP, parallel_map
except ImportError:  # there was no compiler at installation
    HAS_OPENMP = False

T = TypeVar("T")


class ThreadTeam:
    """The caller's thread and others: llama.cpp's own if they can be shared through OpenMP, else a pool."""

    def __init__(self, max_parts: int, max_threads: int, n_in_use: Callable[[], int] | None = None) -> None:
        """`n_in_use` returns the number of threads that llama.cpp has just computed with, by default `max_threads`."""
        self.n_max = min(max_parts, max_threads)
        self.n_in_use = n_in_use or (lambda: max_threads)
        self._pool = None if HAS_OPENMP or self.n_max == 1 else ThreadPoolExecutor(self.n_max - 1, "sampling")

    @property
    def n(self) -> int:
        """How many parts can be done at the same time now."""
        return min(self.n_max, self.n_in_use())

    def map(self, function: Callable[[int], T], n_parts: int) -> list[T]:
        """Return the results for 0 to `n_parts` - 1, which is at most `n`. Raises what one of the calls raises."""
        if HAS_OPENMP:
            return parallel_map(function, n_parts, self.n_in_use())
        futures = [self._pool.submit(function, part) for part in range(1, n_parts)] if self._pool else []
        return [function(0), *(future.result() for future in futures)]

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
