"""What the cache is to save, and whether it does."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.prefix.comparison import Row
from benchmarks.prefix.lookup import Lookup

MOST_EVALUATED = {"burst": 1.05, "chat": 1.0}
"""Tokens of prompts for each new one, in any round, by workload."""
MOST_US = 100.0
"""For a prompt of one kind, the median."""


@dataclass(frozen=True)
class Aim:
    """Something that may be `most`, and what it was."""

    what: str
    most: float
    measured: float

    @property
    def is_held(self) -> bool:
        return self.measured <= self.most

    @property
    def sentence(self) -> str:
        """Tells by how much it is missed."""
        return f"{self.what}: {self.measured:.4g}, which is more than {self.most:g}"


def evaluation_aims(rows: Iterable[Row]) -> list[Aim]:
    """Returns the aims of those workloads that have one."""
    return [
        Aim(f"{row.workload}, {row.server}: tokens evaluated for each new one", most, row.largest["for each new one"])
        for row in rows
        if (most := MOST_EVALUATED.get(row.workload)) is not None
    ]


def lookup_aims(lookups: Iterable[Lookup]) -> list[Aim]:
    """Returns the aim of each kind of prompt."""
    return [Aim(f"lookup, {each.prompts}: median, µs", MOST_US, each.median_us) for each in lookups]


def aims_table(aims: Sequence[Aim]) -> str:
    """Returns the aims as a table in Markdown."""
    lines = ["| aim | at most | measured | held |", "| --- | ---: | ---: | --- |"]
    lines += [f"| {aim.what} | {aim.most:g} | {aim.measured:.4g} | {'yes' if aim.is_held else 'NO'} |" for aim in aims]
    return "\n".join(lines)
