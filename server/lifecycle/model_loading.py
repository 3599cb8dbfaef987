"""Loads the model in the background, while the port is already open."""

import logging
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TextIO

from slots.engine import Engine
from slots.options import ContextOptions, EngineOptions, ModelOptions

SECONDS_BEFORE_PROGRESS = 2.0
"""A shorter load logs no progress."""
SECONDS_BEFORE_BAR = 0.3
BAR_CHARACTERS = 30

logger = logging.getLogger("server")


def load_in_background(model: ModelOptions, context: ContextOptions, options: EngineOptions) -> "Future[Engine]":
    """Returns the future of the engine, which raises what Engine.load raises."""
    future: Future[Engine] = Future()

    def load() -> None:
        try:
            future.set_result(Engine.load(model, context, options, LoadProgress(terminal=log_terminal())))
        except BaseException as error:
            future.set_exception(error)

    # A daemon: llama.cpp cannot cancel a load, and a signal has to end the program all the same.
    threading.Thread(target=load, name="load", daemon=True).start()
    return future


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
