"""Step threads: sets the number of threads of each step of a context, and times the step."""

import time
from typing import Any

import llama_cpp.llama_cpp as lib

from slots.machine import CpuUse, usable_cpus
from slots.options import ContextOptions
from slots.threads import MachineLoad, ThreadController

_WINDOW_SECONDS = 0.1
"""Over which the CPUs that others take are counted. Linux counts in hundredths of a second."""
_FIRST_WINDOW_SECONDS = 0.05
"""The same after a time without steps, when others are more likely to have begun or ended."""
_MAX_WINDOW_SECONDS = 0.3
"""A window that has lasted longer when a step starts had a time without steps in it, and does not count."""


class StepThreads:
    """The threads of a context. Belongs to the engine's thread, but other threads may read the numbers."""

    def __init__(self, options: ContextOptions, load: MachineLoad | None = None) -> None:
        """`load` is shared by all contexts of a process."""
        cpus, load = usable_cpus(), load or MachineLoad()
        self.controller = ThreadController(
            cpus, load, n_threads=options.n_threads, n_threads_batch=options.n_threads_batch
        )
        self._watcher = LoadWatcher(load, cpus.n_threads, CpuUse())
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
        self._watcher.start_step(self._started)

    def end_step(self) -> None:
        """Take in that the step is computed."""
        now = time.perf_counter()
        self.controller.record(self._n_tokens, now - self._started)
        self._watcher.end_step(now)


class LoadWatcher:
    """Tells the load how many CPUs other programs take while steps are computed."""

    def __init__(self, load: MachineLoad, n_threads: int, use: CpuUse) -> None:
        """`n_threads` is how many this process may use at most."""
        self._load = load
        self._n_threads = n_threads
        self._use = use
        self._since = 0.0
        self._window = _FIRST_WINDOW_SECONDS
        self._idle: float | None = 0.0
        self._own = 0.0

    def start_step(self, now: float) -> None:
        if now - self._since > _MAX_WINDOW_SECONDS:
            self._window = _FIRST_WINDOW_SECONDS
            self._start_window(now)

    def end_step(self, now: float) -> None:
        seconds = now - self._since
        if seconds < self._window or self._idle is None:
            return
        idle, own = self._idle, self._own
        self._window = _WINDOW_SECONDS
        self._start_window(now)
        if self._idle is not None:
            n_idle = (self._idle - idle) / seconds
            self._load.record_taken(self._n_threads - n_idle - (self._own - own) / seconds, n_idle)

    def _start_window(self, now: float) -> None:
        self._since, self._idle, self._own = now, self._use.idle_seconds(), time.process_time()
