"""What the comparisons of servers share: arguments, servers, workloads and results."""

import argparse
import json
import os
import secrets
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from benchmarks.harness.arguments import add_server_commands, limit_n_ctx, make_parser
from benchmarks.harness.client import Prompts, PromptT, Server
from benchmarks.harness.report import format_info, run_info, write_results
from benchmarks.harness.server_process import ServerProcess, start_our_server
from benchmarks.harness.workload import Workload
from benchmarks.prefix.workloads import Burst, Chats
from benchmarks.serve.comparison import SPEED, Comparison, Row
from benchmarks.serve.workloads import PENALTY, ClosedLoop, OpenLoop

KINDS = ("closed", "penalty", "streamed", "schema", "burst", "chat", "open")
MANY = 16
"""Clients of the workloads that are measured with one number of them."""


@dataclass(frozen=True)
class RunningServer:
    """A server and its name in tables."""

    name: str
    url: str


def serve_parser(description: str | None, results: str) -> argparse.ArgumentParser:
    """Returns the parser of a comparison; `results` is the default file of `--json`."""
    parser = make_parser(description, n_rounds=5, results=results)
    add_server_commands(parser, "command that starts the other server, or the URL of a running one")
    parser.add_argument("--parallel", type=int, default=16, help="slots of our server (default: 16)")
    parser.add_argument("--ctx", type=int, default=1024, help="maximum tokens of a slot (default: 1024)")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16, 32], help="(default: 1 4 16 32)")
    parser.add_argument("--tokens", type=int, default=64, help="to generate for each request (default: 64)")
    parser.add_argument("--rate", type=float, default=4.0, help="requests/s of the open loop (default: 4)")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS, help="workloads (default: all)")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="of the prompts (default: a new one)")
    return parser


@contextmanager
def running_servers(arguments: argparse.Namespace) -> Iterator[list[RunningServer]]:
    """Runs our server, and the peer if its command is given; yields ours first."""
    n_ctx = limit_n_ctx(arguments.ctx, arguments.model)
    flags = ["--model", str(arguments.model), "--parallel", str(arguments.parallel)]
    flags += ["--ctx-size", str(arguments.parallel * n_ctx), "--threads", str(arguments.threads)]
    with (
        start_our_server(*flags, *shlex.split(arguments.flags)) as ours,
        _running_peer(arguments.peer, arguments.peer_name) as peers,
    ):
        yield [RunningServer("ours", ours.url), *peers]


@contextmanager
def _running_peer(peer: str | None, name: str | None) -> Iterator[list[RunningServer]]:
    if not peer:
        yield []
    elif peer.startswith("http"):
        yield [RunningServer(name or "peer", peer.rstrip("/"))]
    else:
        command = shlex.split(peer)
        with ServerProcess(command) as process:
            yield [RunningServer(name or Path(command[0]).name, process.url)]


def run_comparison(
    arguments: argparse.Namespace,
    servers: Sequence[Server[PromptT]],
    prompts: Callable[[tuple[int, ...]], Prompts[PromptT]],
    schema: Mapping[str, object],
    n_ctx: int,
    **versions: str,
) -> None:
    """Compares the servers, ours first, by the workloads that the arguments select, and writes the results.

    `prompts` makes new prompts from a seed; `schema` holds the options of a request whose text must match a schema;
    slots have `n_ctx` tokens; `versions` are those of the peers, by name.
    """
    info = run_info(
        model=arguments.model.name,
        slots=arguments.parallel,
        threads=arguments.threads or os.cpu_count(),
        tokens=arguments.tokens,
        rounds=arguments.rounds,
        seed=arguments.seed,
        **versions,
    )
    print(f"medians; {format_info(info)}\n", flush=True)
    comparison = Comparison(arguments.model, servers, prompts, arguments.seed, arguments.rounds, arguments.threads)
    rows = comparison.run(select_workloads(arguments, schema), n_ctx)
    write_results(arguments.json, info, rows=rows)
    draw_chart(arguments.json, rows)


def select_workloads(arguments: argparse.Namespace, schema: Mapping[str, object]) -> dict[str, Workload]:
    """Returns the workloads that the arguments select, by name."""
    many = MANY if MANY in arguments.clients else max(arguments.clients)
    n_predict = arguments.tokens
    kinds: dict[str, dict[str, Workload]] = {
        "closed": {f"{n} client{'s' * (n > 1)}": ClosedLoop(n, n_predict) for n in arguments.clients},
        "penalty": {f"{many}, repeat_penalty": ClosedLoop(many, n_predict, options=PENALTY)},
        "streamed": {f"{many}, streamed": ClosedLoop(many, n_predict, streamed=True)},
        "schema": {f"{many}, JSON schema": ClosedLoop(many, n_predict, options=schema)},
        "burst": {"burst": Burst()},
        "chat": {"chat": Chats()},
        "open": {f"{arguments.rate:g} requests/s": OpenLoop(arguments.rate)},
    }
    return {name: workload for kind in arguments.only for name, workload in kinds[kind].items()}


def draw_chart(results: Path, rows: Sequence[Row]) -> None:
    """Draws the speeds among the results next to their file, if there are any and matplotlib is installed."""
    chart = results.with_suffix(".svg")
    if not any(row.measure == SPEED for row in rows):
        print(f"\nThe results are in {results}; a chart shows speeds only, of which there are none")
    elif find_spec("matplotlib"):
        import_module("benchmarks.serve.chart").draw(json.loads(results.read_text()), chart)
        print(f"\nThe results are in {results}, a chart of them in {chart}")
    else:
        print(f"\nThe results are in {results}; there is no chart without matplotlib, which make bench installs")
