"""Step threads: sets the number of threads of each step of a context, and times the step."""

import time
from typing import Any

import llama_cpp.llama_cpp as lib

from slots.machine import usable_cpus
from slots.options import ContextOptions
from slots.threads import MachineLoad, ThreadController


class StepThreads:
    """The threads of a context. Belongs to the engine's thread, but other threads may read the numbers."""

    def __init__(self, options: ContextOptions, load: MachineLoad | None = None) -> None:
        """`load` is shared by all contexts of a process."""
        self.controller = ThreadController(
            usable_cpus(),
            load or MachineLoad(),
            n_threads=options.n_threads,
            n_threads_batch=options.n_threads_batch,
        )
        self._n_set = 0
        self._n_tokens = 0
        self._started = 0.0

    def start_step(self, context: Any, n_tokens: int) -> None:  # noqa: ANN401 - a pointer
        """Set the number of threads for a step of a llama context, which starts now."""
        n_threads = self.controller.choose(n_tokens)
        if n_threads != self._n_set:
            lib.llama_set_n_threads(context, n_threads, n_threads)
            self._n_set = n_threads
        self._n_tokens = n_tokens
        self._started = time.perf_counter()

    def end_step(self) -> None:
        """Take in that the step is computed."""
        self.controller.record(self._n_tokens, time.perf_counter() - self._started)
