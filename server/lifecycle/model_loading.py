"""Loads the model in the background, while the port is already open."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from slots.engine import Engine
from slots.options import ContextOptions, EngineOptions, ModelOptions

SECONDS_BEFORE_PROGRESS = 2.0
"""A shorter load logs no progress."""

logger = logging.getLogger("server")


def load_in_background(model: ModelOptions, context: ContextOptions, options: EngineOptions) -> "Future[Engine]":
    """Returns the future of the engine, which raises what Engine.load raises."""
    future: Future[Engine] = Future()

    def load() -> None:
        try:
            future.set_result(Engine.load(model, context, options, LoadProgress()))
        except BaseException as error:
            future.set_exception(error)

    # A daemon: llama.cpp cannot cancel a load, and a signal has to end the program all the same.
    threading.Thread(target=load, name="load", daemon=True).start()
    return future


class LoadProgress:
    """Logs the progress of a long load in steps of 10 %."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start_time = clock()
        self._logged_tenths = 0

    def __call__(self, fraction: float) -> None:
        seconds = self._clock() - self._start_time
        tenths = int(fraction * 10)
        if seconds >= SECONDS_BEFORE_PROGRESS and tenths > self._logged_tenths:
            self._logged_tenths = tenths
            logger.info("Loading the model: %d %% after %d seconds", round(fraction * 100), round(seconds))
