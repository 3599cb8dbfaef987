"""What a process has in memory, as Linux reports it under /proc."""

import os
from collections.abc import Mapping
from pathlib import Path

_RESET_PEAK = "5"
"""Written to clear_refs, it makes the peak start again from what is resident now."""


def resident_bytes(pid: int) -> int:
    """Returns what a process has in memory now: its own pages, and those of the files that it maps."""
    return _status_bytes(pid, "VmRSS")


def private_bytes(pid: int) -> int:
    """Returns what of it belongs to no file: not the weights that are mapped, nor libraries."""
    return _status_bytes(pid, "RssAnon")


def peak_bytes(pid: int) -> int:
    """Returns the maximum that was in memory since `reset_peak`, or else since the start."""
    return _status_bytes(pid, "VmHWM")


def reset_peak(pid: int) -> None:
    """Makes the peak start again from what is in memory now. Raises OSError for another user's process."""
    Path(f"/proc/{pid}/clear_refs").write_text(_RESET_PEAK)


def mapped_bytes(pid: int, file: Path) -> int:
    """Returns how much of a file a process has in memory as pages of the file itself."""
    return sum(_mapping_sizes(Path(f"/proc/{pid}/smaps").read_text(), str(file.resolve())))


def _mapping_sizes(smaps: str, path: str) -> list[int]:
    sizes = []
    is_of_file = False
    for line in smaps.splitlines():
        first, *rest = line.split(maxsplit=5)
        if not first.endswith(":"):  # the head of a mapping: addresses, rights, offset, device, inode and path
            is_of_file = rest[-1] == path
        elif first == "Rss:" and is_of_file:
            sizes.append(1024 * int(rest[0]))
    return sizes


def _status_bytes(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return 1024 * int(value.split()[0])
    raise RuntimeError(f"/proc/{pid}/status has no {name}")


class StageRecorder:
    """Records by how much the resident memory of this process grows in each stage."""

    def __init__(self, model: Path) -> None:
        self._model = model
        self._last = 0
        self._bytes_by_stage: dict[str, int] = {}

    def record(self, name: str, n_not_counted: int = 0) -> None:
        """Records the growth since the last stage, less `n_not_counted` bytes and the pages of the model's file."""
        pid = os.getpid()
        now = resident_bytes(pid) - mapped_bytes(pid, self._model) - n_not_counted
        self._bytes_by_stage[name] = now - self._last
        self._last = now + n_not_counted

    @property
    def bytes_by_stage(self) -> Mapping[str, int]:
        """Bytes by stage, in order."""
        return self._bytes_by_stage
