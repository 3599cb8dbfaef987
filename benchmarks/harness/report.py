"""What numbers were measured on."""

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from statistics import median


def run_info(**options: object) -> dict[str, object]:
    """Returns the date, the machine, the versions, and what else a benchmark was run with."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "llama-cpp-python": version("llama-cpp-python"),
        **options,
    }


def format_info(info: dict[str, object]) -> str:
    """Returns the same on one line."""
    return ", ".join(f"{name} {value}" for name, value in info.items())


Rounds = Sequence[Mapping[str, Mapping[str, float]]]
"""What was measured in each, by server and by what it is called."""


def medians(rounds: Rounds, server: str) -> dict[str, float]:
    """Returns the medians of what was measured on a server."""
    return {name: median(each[server][name] for each in rounds) for name in rounds[0][server]}


def maxima(rounds: Rounds, server: str) -> dict[str, float]:
    """Returns the largest of what was measured on a server in any round."""
    return {name: max(each[server][name] for each in rounds) for name in rounds[0][server]}


def median_ratio(rounds: Rounds, name: str, server: str, other: str) -> float | None:
    """Returns the median, over the rounds, of what a server has to what another has; None where that is nothing."""
    pairs = [(each[server][name], each[other][name]) for each in rounds]
    return median(one / two for one, two in pairs) if all(two for _one, two in pairs) else None
