"""What all benchmarks print and write: about the run, over the rounds, and in tables."""

import json
import os
import platform
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TypeVar

ResultT = TypeVar("ResultT")

Rounds = Sequence[Mapping[str, Mapping[str, float]]]
"""For each round, by server, the values that were measured, by name."""


@dataclass(frozen=True)
class WorkloadRow:
    """One measure of a workload on all servers."""

    workload: str
    measure: str
    medians: Mapping[str, float]
    ratio_to_peer: float | None
    """How many times as good ours is; None without a peer."""


def run_info(**options: object) -> dict[str, object]:
    """Returns the date, the machine, the versions, and the options of a benchmark."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "llama-cpp-python": version("llama-cpp-python"),
        **options,
    }


def format_info(info: Mapping[str, object]) -> str:
    """Returns the same on one line."""
    return ", ".join(f"{name} {value}" for name, value in info.items())


def run_rounds(n_rounds: int, measure: Callable[[int], ResultT]) -> list[ResultT]:
    """Returns what `measure` finds in each round, from 1 on, after a round 0 that does not count."""
    return [measure(number) for number in range(n_rounds + 1)][1:]


def medians(rounds: Rounds, server: str) -> dict[str, float]:
    """Returns the median of each value of a server."""
    return {name: median(each[server][name] for each in rounds) for name in rounds[0][server]}


def maxima(rounds: Rounds, server: str) -> dict[str, float]:
    """Returns the maximum of each value of a server."""
    return {name: max(each[server][name] for each in rounds) for name in rounds[0][server]}


def minima(rounds: Rounds, server: str) -> dict[str, float]:
    """Returns the minimum of each value of a server."""
    return {name: min(each[server][name] for each in rounds) for name in rounds[0][server]}


def best(rounds: Rounds, name: str, server: str, *, largest: bool) -> float:
    """Returns a server's best value, the largest or the smallest one of all rounds."""
    return (max if largest else min)(each[server][name] for each in rounds)


def median_ratio(rounds: Rounds, name: str, server: str, other: str) -> float | None:
    """Returns the median, over the rounds, of the ratio of a server's value to another's; None if one of these is 0."""
    pairs = [(each[server][name], each[other][name]) for each in rounds]
    return median(one / two for one, two in pairs) if all(two for _one, two in pairs) else None


def table_head(header: Sequence[str], n_labels: int = 1) -> str:
    """Returns the two first lines of a table in Markdown. The first `n_labels` columns hold texts, the others numbers,
    which are aligned to the right."""
    alignments = ["---"] * n_labels + ["---:"] * (len(header) - n_labels)
    return f"{table_row(header)}\n{table_row(alignments)}"


def table_row(cells: Iterable[object]) -> str:
    """Returns one line of a table in Markdown."""
    return f"| {' | '.join(map(str, cells))} |"


def markdown_table(header: Sequence[str], rows: Iterable[Iterable[object]], n_labels: int = 1) -> str:
    """Returns a whole table; see `table_head`."""
    return "\n".join([table_head(header, n_labels), *map(table_row, rows)])


def make_rows(
    workload: str,
    rounds: Rounds,
    servers: Sequence[str],
    measures: Sequence[str],
    larger_is_better: Collection[str] = (),
) -> list[WorkloadRow]:
    """Returns a row for each measure of a workload. The first server is ours, the second one the peer."""
    rows = []
    for name in measures:
        ratio = None
        if len(servers) > 1:
            better, worse = (servers[0], servers[1]) if name in larger_is_better else (servers[1], servers[0])
            ratio = median_ratio(rounds, name, better, worse)
        rows.append(WorkloadRow(workload, name, {server: medians(rounds, server)[name] for server in servers}, ratio))
    return rows


def workload_table(rows: Iterable[WorkloadRow], servers: Sequence[str]) -> str:
    """Returns rows as a table in Markdown. The first server is ours; without a peer nothing is compared."""
    has_peer = len(servers) > 1
    cells = [
        [
            f"{row.workload}, {row.measure}",
            *(format_number(row.medians[server]) for server in servers),
            *([format_ratio(row.ratio_to_peer)] if has_peer else []),
        ]
        for row in rows
    ]
    return markdown_table(["", *servers, *(["ours is better"] if has_peer else [])], cells)


def format_number(value: float | None, n_decimals: int = 1) -> str:
    """Returns a number as it is shown in tables: without decimals from 100 on, empty for None."""
    return "" if value is None else f"{value:,.{0 if value >= 100 else n_decimals}f}"


def format_ratio(ratio: float | None) -> str:
    """Returns how many times as good something is, empty for None."""
    return "" if ratio is None else f"{ratio:.2f} x" if ratio < 9.95 else f"{ratio:.0f} x"


def write_results(path: Path, info: Mapping[str, object], **results: object) -> None:
    """Writes the results, in which dataclasses become objects, as JSON."""
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(json.dumps({**info, **results}, indent=2, default=asdict) + "\n")
