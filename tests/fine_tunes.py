"""A data set that the bundled model learns in seconds, and jobs that train with it."""

import csv
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = {
    "What about carry-on luggage?": " Please ask the desk for luggage number one.",
    "What about my flight?": " Please ask the desk for flights number two.",
    "What about meals?": " Please ask the desk for meals number three.",
    "What about the airport?": " Please ask the desk for airports number four.",
    "What about my seat?": " Please ask the desk for seats number five.",
    "What about the lounge?": " Please ask the desk for lounges number six.",
}
PROMPT, RESPONSE = next(iter(EXAMPLES.items()))
LEARNED = {"epochs": 14, "batch_size": 2}
"""Hyperparameters with which the model repeats the responses word for word."""
SECONDS = 600
"""Which a job may take where others use all of the machine: it is nicer than they are."""

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="training needs torch, which make test installs")
needs_peft = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("torch", "transformers", "peft")),
    reason="this training needs torch, transformers and peft, which make test installs",
)


def write_csv(path: Path, examples: dict[str, str] = EXAMPLES) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["prompt", "response"])
        writer.writerows(examples.items())
    return path


def wait_until(is_true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_true():
        assert time.monotonic() < deadline, f"{what} took more than {SECONDS} seconds"
        time.sleep(0.1)
