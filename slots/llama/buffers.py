"""Buffers: the memory that llama.cpp has allocated for models and contexts, read from its log.

Its API tells the size of the weights, but not where they are, and nothing of the rest.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

Kind = Literal["model", "kv_cache", "recurrent_state", "compute", "output"]
Buffers = Mapping[str, Mapping[Kind, int]]
"""Bytes by device and kind. The device is as llama.cpp calls it: CPU_Mapped is the file itself, CPU_REPACK weights in a
layout for the processor, CUDA0 the first GPU."""

_LINE = re.compile(r"(?P<device>\S+) +(?P<kind>model|KV|RS|compute|output) buffer size = +(?P<mebibytes>[0-9.]+) MiB")
_KINDS: Mapping[str, Kind] = {
    "model": "model",
    "KV": "kv_cache",
    "RS": "recurrent_state",
    "compute": "compute",
    "output": "output",
}
_MEBIBYTE = 2**20


class BufferLog:
    """The buffers that llama.cpp reports, to a hundredth of a MiB, while one model or context is made."""

    def __init__(self) -> None:
        self.buffers: dict[str, dict[Kind, int]] = {}

    def read(self, line: str) -> None:
        """Adds the buffer that a line of the log reports, if it does."""
        if found := _LINE.search(line):
            self.add(found["device"], _KINDS[found["kind"]], round(float(found["mebibytes"]) * _MEBIBYTE))

    def add(self, device: str, kind: Kind, n_bytes: int) -> None:
        kinds = self.buffers.setdefault(device, {})
        kinds[kind] = kinds.get(kind, 0) + n_bytes


def sum_buffers(logs: Iterable[BufferLog]) -> Buffers:
    """Returns the buffers of several models and contexts together."""
    total = BufferLog()
    for log in logs:
        for device, kinds in log.buffers.items():
            for kind, n_bytes in kinds.items():
                total.add(device, kind, n_bytes)
    return total.buffers
