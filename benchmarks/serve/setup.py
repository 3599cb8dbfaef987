"""What the comparisons of servers share: arguments, servers, workloads and results."""

import argparse
import json
import secrets
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from benchmarks.harness.arguments import RESULTS, add_server_commands, limit_n_ctx, make_parser
from benchmarks.harness.client import Prompts, PromptT, Server
from benchmarks.harness.peer import is_url, running_peer
from benchmarks.harness.report import format_info, markdown_table, run_info, write_results
from benchmarks.harness.rounds import add_round_options, read_earlier, read_seed, run_rounds_in_time
from benchmarks.harness.server_process import start_our_server
from benchmarks.harness.workload import Workload
from benchmarks.prefix.workloads import Burst, Chats
from benchmarks.serve.comparison import SPEED, Comparison, Measured, Row, rows_of_all, table_cells, table_header
from benchmarks.serve.workloads import PENALTY, ClosedLoop, OpenLoop

KINDS = ("closed", "streamed", "penalty", "schema", "burst", "chat", "open")
MAIN_KINDS = KINDS[:4]
"""Those of the main table."""
MANY = 16
"""Clients of the workloads that are measured with one number of them, if this is one of `--clients`."""


@dataclass(frozen=True)
class RunningServer:
    """A server and its name in tables."""

    name: str
    url: str


def serve_parser(description: str | None, results: str, peer: str) -> argparse.ArgumentParser:
    """Returns the parser of a comparison, whose results are in the file `results`_MODEL.json unless `--json` names
    another one; `peer` is the help of `--peer`."""
    parser = make_parser(description)
    add_round_options(parser, n_rounds=10)
    add_server_commands(parser, peer)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8], help="(default: 1 8)")
    parser.add_argument("--parallel", type=int, help="slots of our server (default: the maximum of --clients)")
    parser.add_argument("--ctx", type=int, default=1024, help="maximum tokens of a slot (default: 1024)")
    parser.add_argument("--tokens", type=int, default=32, help="to generate for each request (default: 32)")
    parser.add_argument("--rate", type=float, default=4.0, help="requests/s of the open loop (default: 4)")
    text = f"workloads (default: {' '.join(MAIN_KINDS)})"
    parser.add_argument("--only", nargs="+", choices=KINDS, default=MAIN_KINDS, metavar="WORKLOAD", help=text)
    parser.add_argument("--seed", type=int, help="of the prompts (default: a new one, or that of the resumed rounds)")
    text = f"file for the results (default: benchmarks/results/{results}_MODEL.json)"
    parser.add_argument("--json", type=Path, help=text)
    parser.set_defaults(results=results)
    return parser


def read_arguments(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Returns the arguments, with those filled in whose defaults depend on others."""
    arguments = parser.parse_args()
    arguments.json = arguments.json or RESULTS / f"{arguments.results}_{arguments.model.stem}.json"
    arguments.parallel = arguments.parallel or max(arguments.clients)
    if arguments.seed is None:
        earlier = read_seed(arguments.json) if arguments.resume else None
        arguments.seed = secrets.randbits(32) if earlier is None else earlier
    return arguments


@contextmanager
def running_servers(
    arguments: argparse.Namespace, peer_command: Callable[[str, Path, int, int], list[str]]
) -> Iterator[list[RunningServer]]:
    """Runs our server, and the peer if there is one; yields ours first. `peer_command` returns the peer's command from
    what the arguments say, with the model, the slots and the tokens of each."""
    n_slots, n_ctx = arguments.parallel, limit_n_ctx(arguments.ctx, arguments.model)
    flags = ["--model", str(arguments.model), "--parallel", str(n_slots), "--ctx-size", str(n_slots * n_ctx)]
    flags += ["--threads", str(arguments.threads)] if arguments.threads else []
    with ExitStack() as stack:
        ours = stack.enter_context(start_our_server(*flags, *shlex.split(arguments.flags)))
        servers = [RunningServer("ours", ours.url)]
        if arguments.peer:
            command = peer_command(arguments.peer, arguments.model, n_slots, n_ctx)
            name = arguments.peer_name or ("peer" if is_url(arguments.peer) else Path(command[0]).name)
            servers.append(RunningServer(name, stack.enter_context(running_peer(arguments.peer, command))))
        yield servers


def run_comparison(
    arguments: argparse.Namespace,
    servers: Sequence[Server[PromptT]],
    prompts: Callable[[tuple[int, ...]], Prompts[PromptT]],
    schema: Mapping[str, object],
    n_ctx: int,
    **versions: str,
) -> None:
    """Compares the servers, ours first, by the workloads that the arguments select, and writes the results after each
    round.

    `prompts` makes new prompts from a seed; `schema` holds the options of a request whose text must match a schema;
    slots have `n_ctx` tokens; `versions` are those of the peers, by name.
    """
    workloads = {name: each.fit_to(n_ctx) for name, each in select_workloads(arguments, schema).items()}
    names = [server.name for server in servers]
    info = run_info(
        model=arguments.model.name,
        slots=arguments.parallel,
        threads=arguments.threads or "default",
        flags=arguments.flags or "default",
        tokens=arguments.tokens,
        seed=arguments.seed,
        servers=names,
        workloads=list(workloads),
        **versions,
    )
    measured: list[Measured] = read_earlier(arguments.json, info) if arguments.resume else []
    comparison = Comparison(arguments.model, servers, prompts, arguments.seed, arguments.threads, workloads)
    numbers = range(len(measured) + 1, arguments.rounds + 1)
    if numbers:
        with comparison.running_loops() as loops:
            comparison.warm_up()
            measure = partial(comparison.measure, loops=loops)
            for each in run_rounds_in_time(numbers, measure, arguments.started, arguments.minutes):
                measured.append(each)
                rows = rows_of_all(measured, names)
                write_results(arguments.json, info, rounds=len(measured), rows=rows, measured=measured)
    rows = rows_of_all(measured, names)
    print(f"medians of {len(measured)} rounds; {format_info(info)}\n")
    print(markdown_table(table_header(names), [table_cells(row, names) for row in rows], n_labels=2))
    draw_chart(arguments.json, rows)


def select_workloads(arguments: argparse.Namespace, schema: Mapping[str, object]) -> dict[str, Workload]:
    """Returns the workloads that the arguments select, by name."""
    clients, n_predict = arguments.clients, arguments.tokens
    many = MANY if MANY in clients else max(clients)
    kinds: dict[str, dict[str, Workload]] = {
        "closed": {f"{n} client{'s' * (n > 1)}": ClosedLoop(n, n_predict) for n in clients},
        "streamed": {f"{many}, streamed": ClosedLoop(many, n_predict, streamed=True)},
        "penalty": {f"{many}, repeat_penalty 1.1": ClosedLoop(many, n_predict, options=PENALTY)},
        "schema": {f"{n}, JSON schema": ClosedLoop(n, n_predict, options=schema) for n in sorted({min(clients), many})},
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
