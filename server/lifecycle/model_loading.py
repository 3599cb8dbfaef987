"""Loads the model in the background, while the port is already open."""

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TextIO

from slots.engine import Engine
from slots.options import ContextOptions, EngineOptions, ModelOptions

SWITCH_SECONDS = 0.0001
"""How long a thread may keep the GIL while the model loads. llama.cpp takes it for each line of its log and for each
tensor, some hundred times, and would wait for the imports of this program for 5 milliseconds each time."""
SECONDS_BEFORE_PROGRESS = 2.0
"""A shorter load logs no progress."""
SECONDS_BEFORE_BAR = 0.3
BAR_CHARACTERS = 30

logger = logging.getLogger("server")


class ModelLoader:
    """Loads the engine of a server, as often as it is asked to. It keeps none, so that engines can be freed."""

    def __init__(self, model: ModelOptions, context: ContextOptions, options: EngineOptions) -> None:
        self._model, self._context, self._options = model, context, options
        self._loading: Future[Engine] | None = None
        self._usual_switch_seconds = sys.getswitchinterval()

    def start(self) -> None:
        """Begins to load, in a thread."""
        future: Future[Engine] = Future()
        self._loading = future
        sys.setswitchinterval(SWITCH_SECONDS)
        # A daemon: llama.cpp cannot cancel a load, and a signal has to end the program all the same.
        threading.Thread(target=self._load, args=(future,), name="load", daemon=True).start()

    async def load(self) -> Engine:
        """Returns the engine that is being loaded, or loads one. Raises what Engine.load raises."""
        if self._loading is None:
            self.start()
        assert self._loading is not None
        loading = asyncio.wrap_future(self._loading)
        self._loading = None
        try:
            return await loading
        finally:
            sys.setswitchinterval(self._usual_switch_seconds)

    def _load(self, future: "Future[Engine]") -> None:
        try:
            progress = LoadProgress(terminal=log_terminal())
            future.set_result(Engine.load(self._model, self._context, self._options, progress))
        except BaseException as error:
            future.set_exception(error)


class LoadProgress:
    """Shows the progress of a long load: a bar on a terminal, else lines in the log, in steps of 10 %."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, terminal: TextIO | None = None) -> None:
        self._clock = clock
        self._terminal = terminal
        self._start_time = clock()
        self._shown = 0

    def __call__(self, fraction: float) -> None:
        seconds = self._clock() - self._start_time
        if self._terminal is not None:
            self._draw(self._terminal, int(fraction * BAR_CHARACTERS), fraction, seconds)
            return
        tenths = int(fraction * 10)
        if seconds >= SECONDS_BEFORE_PROGRESS and tenths > self._shown:
            self._shown = tenths
            logger.info("Loading the model: %d %% after %d seconds", round(fraction * 100), round(seconds))

    def _draw(self, terminal: TextIO, n_full: int, fraction: float, seconds: float) -> None:
        """Draws the bar over the last one, and takes it away at the end."""
        if seconds < SECONDS_BEFORE_BAR or (n_full == self._shown and fraction < 1):
            return
        self._shown = n_full
        bar = "#" * n_full + "." * (BAR_CHARACTERS - n_full)
        line = f"Loading the model [{bar}] {fraction:4.0%} {seconds:.0f} s"
        terminal.write(f"\r{line}" if fraction < 1 else f"\r{' ' * len(line)}\r")
        terminal.flush()


def log_terminal() -> TextIO | None:
    """Returns stderr if it is a terminal to which the log is written, as lines for people."""
    handlers = [handler for handler in logging.getLogger().handlers if isinstance(handler, logging.StreamHandler)]
    is_log = any(handler.stream is sys.stderr for handler in handlers) and logger.isEnabledFor(logging.INFO)
    return sys.stderr if is_log and sys.stderr.isatty() else None
