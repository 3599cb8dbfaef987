"""Processes that tests have started."""

import os
import subprocess
from pathlib import Path


def children(words: str) -> list[int]:
    """Returns the processes that this one has started, and whose command has these words in it."""
    command = ["pgrep", "-P", str(os.getpid()), "-f", words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [int(line) for line in done.stdout.split()]


def cpu_seconds(pid: int) -> float:
    """Returns the time that a process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
