"""What the cache is to save, and whether it does."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.prefix.comparison import Row
from benchmarks.prefix.lookup import Lookup

MAX_EVALUATED = {"burst": 1.05, "chat": 1.0}
"""Tokens of prompts for each new one, in any round, by workload."""
MAX_LOOKUP_US = 100.0
"""For a prompt of one kind, the median."""


@dataclass(frozen=True)
class Target:
    """Something that may be `most`, and what it was."""

    name: str
    limit: float
    measured: float

    @property
    def is_met(self) -> bool:
        return self.measured <= self.limit

    @property
    def failure_message(self) -> str:
        """Tells by how much it is missed."""
        return f"{self.name}: {self.measured:.4g}, which is more than {self.limit:g}"


def evaluation_targets(rows: Iterable[Row]) -> list[Target]:
    """Returns the aims of those workloads that have one."""
    return [
        Target(
            f"{row.workload}, {row.server}: tokens evaluated for each new one", limit, row.largest["for each new one"]
        )
        for row in rows
        if (limit := MAX_EVALUATED.get(row.workload)) is not None
    ]


def lookup_targets(lookups: Iterable[Lookup]) -> list[Target]:
    """Returns the aim of each kind of prompt."""
    return [Target(f"lookup, {each.prompts}: median, µs", MAX_LOOKUP_US, each.median_us) for each in lookups]


def targets_table(aims: Sequence[Target]) -> str:
    """Returns the aims as a table in Markdown."""
    lines = ["| aim | at most | measured | held |", "| --- | ---: | ---: | --- |"]
    lines += [f"| {aim.name} | {aim.limit:g} | {aim.measured:.4g} | {'yes' if aim.is_met else 'NO'} |" for aim in aims]
    return "\n".join(lines)
