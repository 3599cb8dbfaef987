"""Rounds in a limited time, which a later run can continue."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


def add_round_options(parser: argparse.ArgumentParser, n_rounds: int) -> None:
    """Adds the options of a benchmark whose rounds may be spread over several runs."""
    parser.add_argument("--rounds", type=int, default=n_rounds, help=f"(default: {n_rounds})")
    text = "that the whole run may take: no round is begun that would end later (default: no limit)"
    parser.add_argument("--minutes", type=float, help=text)
    text = "continue with the rounds in the file of results, which have to be of the same servers and workloads"
    parser.add_argument("--resume", action="store_true", help=text)
    parser.set_defaults(started=time.monotonic())


def run_rounds_in_time(
    numbers: Sequence[int], measure: Callable[[int], ResultT], started: float, minutes: float | None
) -> Iterator[ResultT]:
    """Yields what `measure` finds in each round, and shows how long it took, until another one would probably not end
    within `minutes` from `started`, a time of `time.monotonic`. The first one is always run."""
    longest = 0.0
    for index, number in enumerate(numbers):
        began = time.monotonic()
        if index and minutes is not None and began + longest > started + 60 * minutes:
            print(f"{len(numbers) - index} rounds are left: continue with --resume", file=sys.stderr, flush=True)
            return
        result = measure(number)
        seconds = time.monotonic() - began
        longest = max(longest, seconds)
        print(f"round {number} of {numbers[-1]}: {seconds:.0f} s", file=sys.stderr, flush=True)
        yield result


def read_earlier(path: Path, info: Mapping[str, object]) -> list[Any]:
    """Returns the rounds in a file of results, none if there is no file. Raises SystemExit if anything but the date
    that `info` says of them is different in the file."""
    if not path.exists():
        return []
    earlier = json.loads(path.read_text())
    for name, value in info.items():
        if name != "date" and earlier.get(name) != value:
            raise SystemExit(f"--resume: {path} has {name} {earlier.get(name)!r}, and this run {value!r}")
    rounds: list[Any] = earlier["measured"]
    return rounds


def read_seed(path: Path) -> int | None:
    """Returns the seed of the rounds in a file of results, None if there is no file."""
    return int(json.loads(path.read_text())["seed"]) if path.exists() else None
