"""The buffers that llama.cpp says it has made, read from its log."""

import re
from dataclasses import dataclass
from typing import Self

_LINE = re.compile(r"(?P<device>\S+) +(?P<kind>model|KV|compute|output) buffer size = +(?P<mib>[0-9.]+) MiB")
_MAPPED = "_Mapped"
"""Ends the name of a buffer that is the file itself."""


@dataclass(frozen=True)
class LlamaBuffers:
    """Sizes in bytes, to a hundredth of a MiB, of the buffers in host memory. Memory that was asked for need not be
    resident before it is written to."""

    copied_weights: int
    """Weights that were read or packed into memory of their own, and not mapped."""
    kv_cache: int
    compute: int
    """What the layers compute in."""
    output: int
    """The logits: one row of the vocabulary for each slot."""

    @classmethod
    def from_log(cls, log: str) -> Self | None:
        """Returns what a log says; None if it says nothing of buffers."""
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
