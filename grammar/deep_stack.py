"""Threads with a large stack, for functions that recurse deeply in C++ or Rust."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

STACK_BYTES = 2**30
"""Address space; memory is allocated only for what is used."""
MAX_CONCURRENT = 2
"""Each thread may use much memory, so further calls wait."""

Result = TypeVar("Result")

_semaphore = threading.BoundedSemaphore(MAX_CONCURRENT)
_starting = threading.Lock()


def run_on_deep_stack(function: Callable[[], Result]) -> Result:
    """Runs `function` in a thread with a stack of STACK_BYTES; returns what it returns and raises what it raises."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    with _semaphore:
        with _starting:
            previous_size = threading.stack_size(STACK_BYTES)
            try:
                threading.Thread(target=run, name="deep stack", daemon=True).start()
            finally:
                threading.stack_size(previous_size)
        return future.result()
