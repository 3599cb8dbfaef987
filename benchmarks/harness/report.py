"""What numbers were measured on."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version


def about_this_run(**options: object) -> dict[str, object]:
    """Returns the date, the machine, the versions, and what else a benchmark was run with."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "llama-cpp-python": version("llama-cpp-python"),
        **options,
    }


def in_words(about: dict[str, object]) -> str:
    """Returns the same on one line."""
    return ", ".join(f"{name} {value}" for name, value in about.items())
