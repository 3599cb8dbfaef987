"""Workloads on two servers and on the bare loop, in turns."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from benchmarks.harness.client import Prompts, PromptT, Server
from benchmarks.harness.report import (
    Rounds,
    format_number,
    median_ratio,
    medians,
    run_rounds,
    table_head,
    table_row,
)
from benchmarks.harness.workload import Workload
from benchmarks.serve.workloads import ClosedLoop
from benchmarks.steps.bare_loop import BareLoopConfig, BareLoopProcess

SPEED = "tokens/s"
BARE_LOOP = "bare loop"


@dataclass(frozen=True)
class Row:
    """The medians of one thing that was measured."""

    workload: str
    measure: str
    medians: dict[str, float]
    """By server, and of the bare loop if it did the same work."""
    ratio_to_peer: float | None
    """How many times as good ours is as the peer: faster, sooner, or with less."""
    share_of_bare_loop: float | None
    """Our share of the bare loop's speed."""


@dataclass(frozen=True)
class Comparison(Generic[PromptT]):
    """Servers that get the same work."""

    model: Path
    servers: Sequence[Server[PromptT]]
    """Ours first."""
    prompts: Callable[[tuple[int, ...]], Prompts[PromptT]]
    """Makes new ones from a seed."""
    seed: int
    n_rounds: int
    n_threads: int
    """Of the bare loop; 0 is one for each core."""

    def run(self, workloads: Mapping[str, Workload], n_ctx: int) -> list[Row]:
        """Returns what was measured, and prints each workload as soon as it is done. Workloads are shrunk to slots of
        `n_ctx` tokens."""
        names = [server.name for server in self.servers]
        print(table_head(table_header(names), n_labels=2), flush=True)
        rows = []
        for number, (name, workload) in enumerate(workloads.items()):
            measured = rows_from_rounds(name, self._rounds(workload.fit_to(n_ctx), number), names)
            print("\n".join(table_row(table_cells(row, names)) for row in measured), flush=True)
            rows += measured
        return rows

    def _rounds(self, workload: Workload, number: int) -> Rounds:
        with ExitStack() as stack:
            bare = None
            if isinstance(workload, ClosedLoop):
                bare = BareLoopProcess(self._bare_loop_config(workload))
                stack.callback(bare.close)

            def measure(index: int) -> dict[str, dict[str, float]]:
                seed = (self.seed, number, index)
                measured = {server.name: workload.run(server, self.prompts(seed)).measured for server in self.servers}
                if bare is not None:
                    measured[BARE_LOOP] = {SPEED: bare.tokens_per_second()}
                return measured

            return run_rounds(self.n_rounds, measure)

    def _bare_loop_config(self, loop: ClosedLoop) -> BareLoopConfig:
        return BareLoopConfig(self.model, loop.n_clients, loop.n_prompt, loop.n_predict, self.n_threads)


def rows_from_rounds(workload: str, rounds: Rounds, names: Sequence[str]) -> list[Row]:
    """Returns the rows of a workload; the first of the servers is ours, the second is the peer."""
    ours, *peers = names
    by_server = {server: medians(rounds, server) for server in rounds[0]}
    rows = []
    for measure in rounds[0][ours]:
        to_peer = share = None
        if peers:
            pair = (ours, peers[0]) if measure == SPEED else (peers[0], ours)
            to_peer = median_ratio(rounds, measure, *pair) or None  # 0 is from a peer that does not report it
        if BARE_LOOP in by_server and measure == SPEED:
            share = median_ratio(rounds, measure, ours, BARE_LOOP)
        values = {server: measured[measure] for server, measured in by_server.items() if measure in measured}
        rows.append(Row(workload, measure, values, to_peer, share))
    return rows


def table_header(names: Sequence[str]) -> list[str]:
    """Returns the names of the columns for servers with these names."""
    return ["workload", "measured", *names, "ours is better", BARE_LOOP, "of it"]


def table_cells(row: Row, names: Sequence[str]) -> list[str]:
    """Returns a row as the cells of the table."""
    return [
        row.workload,
        row.measure,
        *(format_number(row.medians.get(name)) for name in names),
        "" if row.ratio_to_peer is None else f"{row.ratio_to_peer:.2f} x",
        format_number(row.medians.get(BARE_LOOP)),
        "" if row.share_of_bare_loop is None else f"{row.share_of_bare_loop:.0%}",
    ]
