"""Servers on a machine that other programs use, too: python -m benchmarks.busy --peer COMMAND

Compares our server with default flags, with `-t 1` and with one thread for each CPU, and another server, while 0, 1, 2
and so on other programs compute. The benchmark starts these programs, ends them after each measurement, and they end by
themselves after a while.

Each round goes through all numbers of programs, so that the machine changes between any two measurements of them. The
first request after a change is reported as "after a change", and includes the time in which our server finds another
number of threads; a second one as "steady".

- generate: one client, one text.
- clients: 8 clients at once.
- prompt: a long prompt, and one token.

All servers get the same prompts in the same round, in turns. A first round without other programs does not count.

`--cpus` limits the servers to some CPUs with an affinity mask, `--quota` with a control group. Only the latter is what
containers do: all CPUs are still there, and a server that uses one thread for each of them is stopped when it has used
its share.
"""

import argparse
import json
import math
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.harness.arguments import make_parser
from benchmarks.harness.cpu_quota import CpuQuota
from benchmarks.harness.llama_client import Endpoint
from benchmarks.harness.prompts import TEXT, PromptTokens
from benchmarks.harness.report import format_info, format_number, markdown_table, run_info, write_results
from benchmarks.harness.server_process import ServerProcess
from benchmarks.serve.workloads import ClosedLoop
from slots.machine import usable_cpus

DEFAULT = "default"
PEER = "peer"
SPEED = "tokens/s"
AFTER_CHANGE, STEADY = "after a change", "steady"
N_SLOTS, N_CTX = 8, 1024
"""Of the servers, which use as many slots as there are clients at once, and tokens of each."""
MAX_PROGRAMS = 16
MAX_SECONDS = 300
"""After which a busy program ends by itself."""
SETTLE_SECONDS = 0.3

_BUSY = "import sys, time\nend = time.monotonic() + float(sys.argv[1])\nwhile time.monotonic() < end: pass"

Measured = Mapping[tuple[str, int, str, str], float]
"""tokens/s of one round, by workload, number of programs, when it was measured, and server."""


@dataclass(frozen=True)
class Row:
    """What a number of busy programs leaves to each server."""

    workload: str
    n_programs: int
    when: str
    speeds: dict[str, list[float]]
    """tokens/s of each round, by server."""

    @property
    def medians(self) -> dict[str, float]:
        return {server: median(values) for server, values in self.speeds.items()}

    @property
    def fastest_fixed(self) -> str:
        """The fixed number of threads that is the fastest by its median."""
        return max((name for name in self.speeds if name.startswith("-t")), key=lambda name: self.medians[name])

    def ratio(self, other: str) -> float | None:
        """Returns how many times as fast as another server ours is with default flags: the median of the rounds. None
        if the other one was not measured."""
        if other not in self.speeds:
            return None
        return median(one / two for one, two in zip(self.speeds[DEFAULT], self.speeds[other], strict=True))


@contextmanager
def busy_programs(number: int) -> Iterator[None]:
    """Keeps as many CPUs busy as there are programs; waits until they are."""
    command = [sys.executable, "-c", _BUSY, str(MAX_SECONDS)]
    programs = [subprocess.Popen(command) for _ in range(number)]
    try:
        time.sleep(SETTLE_SECONDS)
        yield
    finally:
        for program in programs:
            program.kill()
        for program in programs:
            program.wait()


def make_workloads(n_tokens: int, n_prompt: int = 512) -> dict[str, ClosedLoop]:
    """Returns the workloads by name; `n_tokens` are generated for one client, a third of it for each of many, whose
    prompts are short. The prompt alone has `n_prompt` tokens."""
    return {
        "generate": ClosedLoop(1, n_tokens, n_requests=1),
        "clients": ClosedLoop(N_SLOTS, max(2, n_tokens // 3), n_prompt=8, n_requests=1),
        "prompt": ClosedLoop(1, 1, n_prompt=n_prompt, n_requests=1),
    }


def measure_round(
    servers: Mapping[str, Endpoint],
    workloads: Mapping[str, ClosedLoop],
    programs: Sequence[int],
    ordinary: Sequence[int],
    number: int,
) -> Measured:
    """Returns the speeds of all servers, with each number of programs."""
    measured = {}
    for index, n_programs in enumerate(programs):
        with busy_programs(n_programs):
            for name, workload in workloads.items():
                for server, endpoint in servers.items():
                    for when in (AFTER_CHANGE, STEADY):
                        prompts = PromptTokens(ordinary, (number, index, when == STEADY))
                        started = time.perf_counter()
                        answers = workload.run(endpoint, prompts).answers
                        seconds = time.perf_counter() - started
                        n_tokens = sum(answer.n_generated for answer in answers)
                        if workload.n_predict == 1:
                            n_tokens = sum(answer.n_evaluated for answer in answers)
                        measured[name, n_programs, when, server] = n_tokens / seconds
                        what = f"{name}, {n_programs} programs, {server}, {when}: {n_tokens / seconds:.1f} tokens/s"
                        print(f"round {number}: {what}", file=sys.stderr, flush=True)
    return measured


def collect_rows(rounds: Sequence[Measured]) -> list[Row]:
    """Returns a row for each workload, number of programs and time of measurement."""
    servers = list(dict.fromkeys(server for *_key, server in rounds[0]))
    return [
        Row(*key, {server: [each[(*key, server)] for each in rounds] for server in servers})
        for key in dict.fromkeys(key[:3] for key in rounds[0])
    ]


def add_rows(old: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    """Returns the rows of an earlier run with the rounds of a new one added, and the new ones that it had not. Raises
    KeyError if the servers differ."""
    rows = {(row.workload, row.n_programs, row.when): row for row in old}
    for row in new:
        key = (row.workload, row.n_programs, row.when)
        if key in rows:
            speeds = {server: [*values, *row.speeds[server]] for server, values in rows[key].speeds.items()}
            rows[key] = Row(*key, speeds)
        else:
            rows[key] = row
    return sorted(rows.values(), key=lambda row: (row.workload, row.n_programs, row.when))


def format_rows(rows: Sequence[Row]) -> str:
    """Returns the table of rows in Markdown: medians, and the best in parentheses."""
    servers = list(rows[0].speeds)
    header = ["workload", "programs", "measured", *servers, "of the peer", "of the best -t"]
    cells = [
        [
            row.workload,
            row.n_programs,
            row.when,
            *(f"{format_number(row.medians[each])} ({format_number(max(row.speeds[each]))})" for each in servers),
            _format_ratio(row.ratio(PEER)),
            _format_ratio(row.ratio(row.fastest_fixed)),
        ]
        for row in rows
    ]
    return markdown_table(header, cells, n_labels=3)


def _format_ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f} x"


@contextmanager
def limited_cpus(number: int) -> Iterator[None]:
    """Lets the programs that are started use this many CPUs only; 0 means all."""
    mask = os.sched_getaffinity(0)
    if number:
        os.sched_setaffinity(0, sorted(mask)[:number])
    try:
        yield
    finally:
        os.sched_setaffinity(0, mask)


@contextmanager
def running_servers(arguments: argparse.Namespace) -> Iterator[dict[str, Endpoint]]:
    """Runs our server with each number of threads, and the peer if its command is given."""
    shape = ["--model", str(arguments.model), "--parallel", str(N_SLOTS), "--ctx-size", str(N_SLOTS * N_CTX)]
    ours = [sys.executable, "-m", "server", *shape, *shlex.split(arguments.flags)]
    numbers = sorted({1, usable_cpus().n_threads})
    commands = {DEFAULT: ours, **{f"-t {number}": [*ours, "--threads", str(number)] for number in numbers}}
    if arguments.peer:
        commands[PEER] = [*shlex.split(arguments.peer), *shape]
    with ExitStack() as stack:
        group = stack.enter_context(CpuQuota(arguments.quota)).joined() if arguments.quota else nullcontext()
        with limited_cpus(arguments.cpus), group:
            processes = {name: stack.enter_context(ServerProcess(command)) for name, command in commands.items()}
        yield {name: Endpoint(name, process.url) for name, process in processes.items()}


def n_programs(text: str) -> int:
    """Returns a number of busy programs. Raises ValueError if it is not one from 0 to `MAX_PROGRAMS`."""
    if not 0 <= int(text) <= MAX_PROGRAMS:
        raise ValueError(f"expected 0 to {MAX_PROGRAMS} programs, got {text}")
    return int(text)


def quota(text: str) -> float:
    """Returns a number of CPUs. Raises ValueError if it is not a positive one."""
    if not 0 < float(text) < math.inf:
        raise ValueError(f"expected a positive number of CPUs, got {text}")
    return float(text)


def parse_arguments() -> argparse.Namespace:
    parser = make_parser(__doc__, n_rounds=5, results="busy.json")
    parser.add_argument("--peer", help="command that starts the other server; the model's flags are appended")
    parser.add_argument("--flags", default="", help="more flags for our servers, in one argument")
    parser.add_argument("--programs", type=n_programs, nargs="+", default=[0, 1, 2], help="(default: 0 1 2)")
    text = "after which no further round is started, if the last one took longer than what is left (default: no limit)"
    parser.add_argument("--seconds", type=float, default=math.inf, help=text)
    parser.add_argument("--add", action="store_true", help="add the rounds to those in the file of results")
    parser.add_argument("--cpus", type=int, default=0, help="CPUs that the servers may use (default: all)")
    parser.add_argument(
        "--quota", type=quota, default=0, help="CPUs of which the servers together may use the time (default: no limit)"
    )
    parser.add_argument("--prompt", type=int, default=512, help="tokens of the long prompt (default: 512)")
    parser.add_argument("--tokens", type=int, default=96, help="to generate for each request (default: 96)")
    names = list(make_workloads(1))
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="workloads (default: all)")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    made = make_workloads(arguments.tokens, arguments.prompt)
    workloads = {name: each for name, each in made.items() if name in arguments.only}
    old: list[Row] = []
    if arguments.add and arguments.json.exists():
        old = [Row(**row) for row in json.loads(arguments.json.read_text())["rows"]]
    with running_servers(arguments) as servers:
        info = run_info(model=Path(arguments.model).name, tokens=arguments.tokens, prompt=arguments.prompt)
        if arguments.cpus or arguments.quota:
            info["cpus of the servers"] = arguments.cpus or f"quota of {arguments.quota:g}"
        print(f"tokens/s, medians (best); {format_info(info)}\n", flush=True)
        measure = partial(measure_round, servers, workloads, ordinary=servers[DEFAULT].tokenize(TEXT))
        measure([0], number=0)
        rounds: list[Measured] = []
        started = time.monotonic()
        while len(rounds) < arguments.rounds:
            rounds.append(measure(arguments.programs, number=len(rounds) + 1))
            rows = add_rows(old, collect_rows(rounds))
            write_results(arguments.json, info | {"rounds": max(len(each.speeds[DEFAULT]) for each in rows)}, rows=rows)
            if (time.monotonic() - started) * (1 + 1 / len(rounds)) > arguments.seconds:
                break
    print(format_rows(rows))


if __name__ == "__main__":
    main()
