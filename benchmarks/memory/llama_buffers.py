"""The sizes of llama.cpp's buffers, read from its log."""

import re
from dataclasses import dataclass
from typing import Self

_LINE = re.compile(r"(?P<device>\S+) +(?P<kind>model|KV|compute|output) buffer size = +(?P<mib>[0-9.]+) MiB")
_MAPPED = "_Mapped"
"""Ends the name of a buffer that is the file itself."""


@dataclass(frozen=True)
class LlamaBuffers:
    """Sizes in bytes, to a hundredth of a MiB, of the buffers in host memory. What is allocated becomes resident only
    when it is written to."""

    copied_weights: int
    """Weights that were read or repacked into memory, and not mapped."""
    kv_cache: int
    compute: int
    """For the layers."""
    output: int
    """The logits: one row of the vocabulary for each slot."""

    @classmethod
    def from_log(cls, log: str) -> Self | None:
        """Returns the sizes in a log; None if there are none."""
        buffers = [match.groupdict() for match in _LINE.finditer(log) if _is_in_host_memory(match["device"])]
        if not buffers:
            return None

        def total(kind: str) -> int:
            sizes = [float(line["mib"]) for line in buffers if line["kind"] == kind and not _is_mapped(line["device"])]
            return round(sum(sizes) * 2**20)

        return cls(total("model"), total("KV"), total("compute"), total("output"))


def _is_in_host_memory(device: str) -> bool:
    return device.startswith("CPU") or device.endswith("_Host")


def _is_mapped(device: str) -> bool:
    return device.endswith(_MAPPED)
