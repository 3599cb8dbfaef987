"""Targets: the upper limits that the benchmark of prefixes checks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.harness.report import markdown_table
from benchmarks.prefix.comparison import Row
from benchmarks.prefix.lookup import Lookup

MAX_EVALUATED = {"burst": 1.05, "chat": 1.0, "agents": 1.0}
"""Prompt tokens evaluated for each new one, in any round, by workload."""
MAX_LOOKUP_US = 100.0
"""The median for prompts of one kind."""


@dataclass(frozen=True)
class Target:
    """A measured value and its upper limit."""

    name: str
    limit: float
    measured: float

    @property
    def is_met(self) -> bool:
        return self.measured <= self.limit

    @property
    def failure_message(self) -> str:
        return f"{self.name}: {self.measured:.4g}, which is more than {self.limit:g}"


def evaluation_targets(rows: Iterable[Row]) -> list[Target]:
    """Returns the targets of those workloads that have one."""
    return [
        Target(
            f"{row.workload}, {row.server}: tokens evaluated for each new one", limit, row.largest["for each new one"]
        )
        for row in rows
        if (limit := MAX_EVALUATED.get(row.workload)) is not None
    ]


def lookup_targets(lookups: Iterable[Lookup]) -> list[Target]:
    """Returns the target of each kind of prompt."""
    return [Target(f"lookup, {each.prompts}: median, µs", MAX_LOOKUP_US, each.median_us) for each in lookups]


def targets_table(targets: Sequence[Target]) -> str:
    """Returns the targets as a table in Markdown."""
    cells = [[each.name, f"{each.limit:g}", f"{each.measured:.4g}", "yes" if each.is_met else "NO"] for each in targets]
    return markdown_table(["target", "at most", "measured", "met"], cells)
