"""What other programs take of the processor while a benchmark measures. Linux only."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

ResultT = TypeVar("ResultT")

_PROC = Path("/proc")


def measure_other_load(run: Callable[[], ResultT]) -> tuple[ResultT, float | None]:
    """Returns the result of a call, and how many cores other programs used meanwhile, on average; None if the system
    does not say.

    Other programs are those outside the process group of the benchmark, to which the servers belong that it starts. So
    is what a virtual machine did not get of its cores.
    """
    if not (_PROC / "stat").exists():
        return run(), None
    started, before = time.perf_counter(), _other_ticks()
    result = run()
    seconds, after = time.perf_counter() - started, _other_ticks()
    return result, max(0.0, (after - before) / os.sysconf("SC_CLK_TCK") / seconds)


def _other_ticks() -> int:
    return _busy_ticks((_PROC / "stat").read_text()) - sum(map(_ticks_of_group, _PROC.glob("[0-9]*")))


def _busy_ticks(stat: str) -> int:
    """Returns the ticks of all cores that were not idle, from the text of /proc/stat."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, stat.splitlines()[0].split()[1:9])
    return user + nice + system + irq + softirq + steal


def _ticks_of_group(process: Path) -> int:
    """Returns the ticks of a process and its ended children, 0 if it is not in our process group."""
    try:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15])) if int(fields[2]) == os.getpgrp() else 0
