"""A line of what servers have in memory."""

from dataclasses import dataclass
from typing import Literal

Moment = Literal["at rest", "busy, peak"]


@dataclass(frozen=True)
class MemoryRow:
    """One server at one moment; all sizes are bytes."""

    server: str
    slots: int
    moment: Moment
    resident: int
    weights: int
    """Those that are in memory, mapped or copied."""
    kv_cache: int
    output: int | None
    """llama.cpp's buffer of logits; None if its log does not tell, as with `compute`."""
    compute: int | None
    """llama.cpp's buffer to compute in, as it was reserved."""

    @property
    def overhead(self) -> int:
        return self.resident - self.weights - self.kv_cache


def table_head() -> list[str]:
    """Returns how the table of rows begins, in Markdown."""
    columns = ["server", "slots", "", "resident", "weights", "KV cache", "beyond", "output", "compute, reserved"]
    return [f"| {' | '.join(columns)} |", f"| --- | ---: | --- |{' ---: |' * (len(columns) - 3)}"]


def table_line(row: MemoryRow) -> str:
    """Returns a row as a line of the table, in MiB."""
    sizes = (row.resident, row.weights, row.kv_cache, row.overhead, row.output, row.compute)
    return f"| {' | '.join([row.server, str(row.slots), row.moment, *map(_mebibytes, sizes)])} |"


def _mebibytes(size: int | None) -> str:
    return "" if size is None else f"{size / 2**20:,.1f}"
