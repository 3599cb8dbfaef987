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

    def __init__(self, max_parts: int, n_threads: int) -> None:
        self.n = min(max_parts, n_threads)  # used at most
        self._n_threads = n_threads
        self._pool = None if HAS_OPENMP or self.n == 1 else ThreadPoolExecutor(self.n - 1, "sampling")

    def map(self, function: Callable[[int], T], n_parts: int) -> list[T]:
        """Return the results for 0 to `n_parts` - 1, which is at most `n`. Raises what one of the calls raises."""
        if HAS_OPENMP:
            return parallel_map(function, n_parts, self._n_threads)
        futures = [self._pool.submit(function, part) for part in range(1, n_parts)] if self._pool else []
        return [function(0), *(future.result() for future in futures)]

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
