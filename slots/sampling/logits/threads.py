"""Work on the rows of a step, on several cores."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

try:
    from slots.sampling.logits.openmp import HAS_OPENMP, parallel_map
except ImportError:  # there was no compiler where the server was installed
    HAS_OPENMP = False

Part = TypeVar("Part")


class ThreadTeam:
    """Threads that do parts of a step side by side: llama.cpp's where they can be had, else some more; with one core
    none but the caller's."""

    def __init__(self, n: int, n_threads: int) -> None:
        """`n` is how many parts there are at most, `n_threads` how many threads llama.cpp computes with."""
        self.n = min(n, n_threads)
        self._n_threads = n_threads
        self._others = None if HAS_OPENMP or self.n == 1 else ThreadPoolExecutor(self.n - 1, "sampling")

    def map(self, work: Callable[[int], Part], n_parts: int) -> list[Part]:
        """What `work` returns for each of the numbers below `n_parts`, at most as many as cores. Raises what one of the
        calls raises."""
        if HAS_OPENMP:
            return parallel_map(work, n_parts, self._n_threads)
        others = [self._others.submit(work, part) for part in range(1, n_parts)] if self._others else []
        return [work(0), *(other.result() for other in others)]

    def close(self) -> None:
        """End the threads, but for llama.cpp's."""
        if self._others is not None:
            self._others.shutdown()
