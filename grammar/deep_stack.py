"""Work that recurses deeply in C++ or Rust, in threads with a stack that is large enough for it."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

STACK_BYTES = 2**30
"""Address space; memory is only taken for as much as is used."""
MAX_AT_ONCE = 2
"""Each may use much memory; more wait for their turn."""

Result = TypeVar("Result")

_places = threading.BoundedSemaphore(MAX_AT_ONCE)
_starting = threading.Lock()


def run_on_deep_stack(work: Callable[[], Result]) -> Result:
    """Returns what `work` returns, and raises what it raises, after it ran in a thread with a stack of STACK_BYTES."""
    outcome: Future[Result] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    with _places:
        with _starting:
            usual = threading.stack_size(STACK_BYTES)
            try:
                threading.Thread(target=run, name="deep stack", daemon=True).start()
            finally:
                threading.stack_size(usual)
        return outcome.result()
