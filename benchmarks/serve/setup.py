"""What the comparisons of servers have in common: arguments, servers, workloads and where results go."""

import argparse
import json
import os
import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from benchmarks.harness.report import run_info
from benchmarks.harness.server_process import ServerProcess, start_our_server
from benchmarks.harness.workload import Workload
from benchmarks.prefix.workloads import Burst, Chats
from benchmarks.serve.comparison import SPEED, Row
from benchmarks.serve.workloads import PENALTY, ClosedLoop, OpenLoop
from models.header import read_header
from models.source import BUNDLED_MODEL

RESULTS = Path(__file__).parents[1] / "results"
KINDS = ("closed", "penalty", "streamed", "schema", "burst", "chat", "open")
MANY = 16
"""Clients of the workloads that are measured with one number of them."""


@dataclass(frozen=True)
class Running:
    """A server and what it is called in tables."""

    name: str
    url: str


def arguments_parser(description: str | None, results: str) -> argparse.ArgumentParser:
    """Returns what reads the command line; `results` is the name of the file that they go to by default."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=BUNDLED_MODEL, help="GGUF file (default: the bundled one)")
    parser.add_argument("--peer", help="command that starts the other server, or the URL of a running one")
    parser.add_argument("--peer-name", help="what it is called (default: as its program)")
    parser.add_argument("--flags", default="", help="more flags for our server, in one argument")
    parser.add_argument("--threads", type=int, default=0, help="of our server and the bare loop (default: all cores)")
    parser.add_argument("--parallel", type=int, default=16, help="slots of our server (default: 16)")
    parser.add_argument("--ctx", type=int, default=1024, help="most tokens of a slot (default: 1024)")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16, 32], help="(default: 1 4 16 32)")
    parser.add_argument("--tokens", type=int, default=64, help="to generate for each request (default: 64)")
    parser.add_argument("--rounds", type=int, default=5, help="(default: 5, and one that does not count)")
    parser.add_argument("--rate", type=float, default=4.0, help="requests/s of the open loop (default: 4)")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS, help="leaves the other workloads out")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="of the prompts (default: a new one)")
    parser.add_argument("--json", type=Path, default=RESULTS / results, help="where the results go")
    return parser


@contextmanager
def running_servers(arguments: argparse.Namespace) -> Iterator[list[Running]]:
    """Starts our server, and the peer if there is one to start; gives ours first."""
    n_ctx = min(arguments.ctx, read_header(arguments.model).n_ctx_train or arguments.ctx)
    flags = ["--model", str(arguments.model), "--parallel", str(arguments.parallel)]
    flags += ["--ctx-size", str(arguments.parallel * n_ctx), "--threads", str(arguments.threads)]
    flags += shlex.split(arguments.flags)
    ours = start_our_server(*flags)
    try:
        with _running_peer(arguments.peer, arguments.peer_name) as peers:
            yield [Running("ours", ours.url), *peers]
    finally:
        ours.close()


@contextmanager
def _running_peer(peer: str | None, name: str | None) -> Iterator[list[Running]]:
    if not peer:
        yield []
    elif peer.startswith("http"):
        yield [Running(name or "peer", peer.rstrip("/"))]
    else:
        command = shlex.split(peer)
        program = ServerProcess(command)
        try:
            yield [Running(name or Path(command[0]).name, program.url)]
        finally:
            program.close()


def chosen_workloads(arguments: argparse.Namespace, schema: Mapping[str, object]) -> dict[str, Workload]:
    """Returns the workloads that the arguments ask for, by name; `schema` is how a request asks for a schema."""
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


def comparison_info(arguments: argparse.Namespace, **versions: str) -> dict[str, object]:
    """Returns what was measured on, with what."""
    return run_info(
        model=arguments.model.name,
        slots=arguments.parallel,
        threads=arguments.threads or os.cpu_count(),
        tokens=arguments.tokens,
        rounds=arguments.rounds,
        seed=arguments.seed,
        **versions,
    )


def write_results(path: Path, about: Mapping[str, object], rows: Sequence[Row]) -> None:
    """Writes the results, and a chart of their speeds beside them if matplotlib is there."""
    result = {**about, "rows": [asdict(row) for row in rows]}
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(json.dumps(result, indent=2) + "\n")
    chart = path.with_suffix(".svg")
    if not any(row.measure == SPEED for row in rows):
        print(f"\nThe results are in {path}; a chart shows speeds only, of which there are none")
    elif find_spec("matplotlib"):
        import_module("benchmarks.serve.chart").draw(result, chart)
        print(f"\nThe results are in {path}, a chart of them in {chart}")
    else:
        print(f"\nThe results are in {path}; there is no chart without matplotlib, which make bench installs")
