"""Workloads on two servers and on the bare loop, in turns."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Generic

from benchmarks.harness.client import Prompts, PromptT, Server
from benchmarks.harness.machine_load import measure_other_load
from benchmarks.harness.report import Rounds, best, format_number, format_ratio, median_ratio
from benchmarks.harness.workload import Workload
from benchmarks.serve.workloads import ClosedLoop
from benchmarks.steps.bare_loop import BareLoopConfig, BareLoopProcess

SPEED = "tokens/s"
BARE_LOOP = "bare loop"
OTHER_PROGRAMS = "other programs, cores"
"""The name of the load of the machine among what is measured; 0 if the system does not say."""
WARM_UP_CTX = 48
"""Tokens of a slot in the round that does not count."""

Measured = Mapping[str, Mapping[str, Mapping[str, float]]]
"""What one round measured: by workload, by server, by name."""
Loops = Mapping[str, BareLoopProcess]
"""By workload."""


@dataclass(frozen=True)
class Row:
    """One thing that was measured."""

    workload: str
    measure: str
    medians: dict[str, float]
    """By server, and of the bare loop if it did the same work."""
    best: dict[str, float]
    """The same of each server's best round."""
    ratio_to_peer: float | None
    """How many times as good ours is as the peer: faster, sooner, or with less. It is the median over the rounds."""
    ratio_of_best: float | None
    """The same of the best rounds."""
    share_of_bare_loop: float | None
    """Our share of the bare loop's speed."""
    other_programs: float
    """Cores that other programs used meanwhile: the median over the rounds of all servers."""


@dataclass(frozen=True)
class Comparison(Generic[PromptT]):
    """Servers that get the same work."""

    model: Path
    servers: Sequence[Server[PromptT]]
    """Ours first."""
    prompts: Callable[[tuple[int, ...]], Prompts[PromptT]]
    """Makes new ones from a seed."""
    seed: int
    n_threads: int
    """Of the bare loop; 0 is one for each core."""
    workloads: Mapping[str, Workload]

    def warm_up(self) -> None:
        """Runs every workload once on each server, with short texts."""
        for number, workload in enumerate(self.workloads.values()):
            for server in self.servers:
                workload.fit_to(WARM_UP_CTX).run(server, self.prompts((self.seed, number, 0)))

    def measure(self, index: int, loops: Loops) -> Measured:
        """Returns what one round measures. The server that begins is another one in the next round."""
        bare = {loop: _with_load(partial(_loop_speed, loop)) for loop in set(loops.values())}
        measured = {}
        for number, (name, workload) in enumerate(self.workloads.items()):
            measured[name] = self._measure_servers(workload, (self.seed, number, index))
            if name in loops:
                measured[name][BARE_LOOP] = bare[loops[name]]
            first = [f"{server} {next(iter(values.values())):.1f}" for server, values in measured[name].items()]
            print(f"round {index}, {name}: {', '.join(first)}", file=sys.stderr, flush=True)
        return measured

    def _measure_servers(self, workload: Workload, seed: tuple[int, int, int]) -> dict[str, dict[str, float]]:
        measured: dict[str, dict[str, float]] = {server.name: {} for server in self.servers}
        for server in self.servers if seed[-1] % 2 else reversed(self.servers):
            measured[server.name] = _with_load(partial(_run, workload, server, self.prompts(seed)))
        return measured

    @contextmanager
    def running_loops(self) -> Iterator[Loops]:
        """Yields bare loops in processes of their own, for the workloads that have one. Those with as many clients and
        tokens share it."""
        with ExitStack() as stack:
            processes: dict[BareLoopConfig, BareLoopProcess] = {}
            loops = {}
            for name, workload in self.workloads.items():
                if isinstance(workload, ClosedLoop):
                    config = self._bare_loop_config(workload)
                    if config not in processes:
                        processes[config] = BareLoopProcess(config)
                        stack.callback(processes[config].close)
                    loops[name] = processes[config]
            yield loops

    def _bare_loop_config(self, loop: ClosedLoop) -> BareLoopConfig:
        return BareLoopConfig(self.model, loop.n_clients, loop.n_prompt, loop.n_predict, self.n_threads)


def _loop_speed(loop: BareLoopProcess) -> dict[str, float]:
    return {SPEED: loop.tokens_per_second()}


def _run(workload: Workload, server: Server[PromptT], prompts: Prompts[PromptT]) -> dict[str, float]:
    return workload.run(server, prompts).measured


def _with_load(measure: Callable[[], Mapping[str, float]]) -> dict[str, float]:
    """Returns what a call measures, and what other programs used of the machine meanwhile."""
    measured, load = measure_other_load(measure)
    return {**measured, OTHER_PROGRAMS: load or 0.0}


def rows_from_rounds(workload: str, rounds: Rounds, names: Sequence[str]) -> list[Row]:
    """Returns the rows of a workload; the first of the servers is ours, the second is the peer."""
    ours, *peers = names
    load = median(measured.get(OTHER_PROGRAMS, 0.0) for each in rounds for measured in each.values())
    rows = []
    for measure in (name for name in rounds[0][ours] if name != OTHER_PROGRAMS):
        servers = [server for server, measured in rounds[0].items() if measure in measured]
        best_values = {server: best(rounds, measure, server, largest=measure == SPEED) for server in servers}
        to_peer = of_best = share = None
        if peers:
            pair = (ours, peers[0]) if measure == SPEED else (peers[0], ours)
            to_peer = median_ratio(rounds, measure, *pair) or None  # 0 is from a peer that does not report it
            of_best = best_values[pair[0]] / best_values[pair[1]] if to_peer else None
        if BARE_LOOP in servers:
            share = median_ratio(rounds, measure, ours, BARE_LOOP)
        middle = {server: median(each[server][measure] for each in rounds) for server in servers}
        rows.append(Row(workload, measure, middle, best_values, to_peer, of_best, share, load))
    return rows


def rows_of_all(rounds: Sequence[Measured], names: Sequence[str]) -> list[Row]:
    """Returns the rows of all workloads."""
    return [row for each in rounds[0] for row in rows_from_rounds(each, [one[each] for one in rounds], names)]


def table_header(names: Sequence[str]) -> list[str]:
    """Returns the names of the columns for servers with these names."""
    servers = [column for name in names for column in (name, "best")]
    return ["workload", "measured", *servers, "ours is better", "best", BARE_LOOP, "of it", "other programs"]


def table_cells(row: Row, names: Sequence[str]) -> list[str]:
    """Returns a row as the cells of the table."""
    return [
        row.workload,
        row.measure,
        *(format_number(values.get(name)) for name in names for values in (row.medians, row.best)),
        format_ratio(row.ratio_to_peer),
        format_ratio(row.ratio_of_best),
        format_number(row.medians.get(BARE_LOOP)),
        "" if row.share_of_bare_loop is None else f"{row.share_of_bare_loop:.0%}",
        f"{row.other_programs:.2f}",
    ]
