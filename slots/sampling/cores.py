"""Work on the rows of a step, on several cores."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Part = TypeVar("Part")


class Cores:
    """Threads that do parts of a step side by side; with one core there is none but the caller's."""

    def __init__(self, n: int) -> None:
        self.n = n
        self._others = ThreadPoolExecutor(n - 1, "sampling") if n > 1 else None

    def do(self, work: Callable[[int], Part], n_parts: int) -> list[Part]:
        """What `work` returns for each of the numbers below `n_parts`, at most as many as cores, each done by a thread
        of its own."""
        others = [self._others.submit(work, part) for part in range(1, n_parts)] if self._others else []
        return [work(0), *(other.result() for other in others)]

    def close(self) -> None:
        """End the threads."""
        if self._others is not None:
            self._others.shutdown()
