"""Compares the servers on a GPU, with and without sampling there: python -m benchmarks.gpu.measure RESULTS --models ...

For each model, our server and llama.cpp's are compared twice by benchmarks.serve: both sample on the CPU, then both on
the GPU (--backend-sampling). A comparison whose results are there already is not made again, and none is begun that
would not be done in time, so that the same command goes on where an earlier one stopped. At the end all results there
are shown side by side.
"""

import argparse
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serve.comparison import BARE_LOOP, SPEED

PEER = "llama-server"
SAMPLED_ON = {"CPU": "--no-backend-sampling", "GPU": "--backend-sampling"}
"""Our server's flags for where tokens are chosen."""
PEER_FLAGS = {"CPU": (), "GPU": ("--backend-sampling",)}
WORKLOADS = ("closed", "penalty", "streamed")

Speeds = Mapping[str, Mapping[str, float]]
"""By workload, by server."""


@dataclass(frozen=True)
class Comparison:
    """One run of benchmarks.serve."""

    model: Path
    sampled_on: str
    results: Path

    @property
    def json(self) -> Path:
        return self.results / f"{self.model.stem}-{self.sampled_on.lower()}.json"

    @property
    def title(self) -> str:
        return f"{self.model.stem}, sampled on the {self.sampled_on}"

    def command(self, server: Path, n_ctx: int, clients: Sequence[int], options: Sequence[str]) -> list[str]:
        """Returns what runs it, with as many slots as there are clients at most."""
        n_slots = max(clients)
        peer = [str(server), "--model", str(self.model), "--gpu-layers", "999"]
        peer += ["--parallel", str(n_slots), "--ctx-size", str(n_slots * n_ctx), *PEER_FLAGS[self.sampled_on]]
        command = [sys.executable, "-m", "benchmarks.serve", "--model", str(self.model), "--json", str(self.json)]
        command += ["--peer", shlex.join(peer), "--peer-name", PEER, f"--flags={SAMPLED_ON[self.sampled_on]}"]
        command += ["--parallel", str(n_slots), "--ctx", str(n_ctx), "--clients", *map(str, clients)]
        return [*command, "--only", *WORKLOADS, *options]


def run_all(comparisons: Sequence[Comparison], arguments: argparse.Namespace, started: float) -> None:
    """Makes the comparisons that are not made yet, as far as the time reaches."""
    longest = 0.0
    for comparison in comparisons:
        if comparison.json.exists():
            continue
        began = time.monotonic()
        if began + longest > started + 60 * arguments.minutes:
            print(f"no time is left for {comparison.title}: run this again", flush=True)
            return
        print(f"\n{comparison.title}", flush=True)
        more = shlex.split(arguments.options)
        subprocess.run(comparison.command(arguments.server, arguments.ctx, arguments.clients, more), check=True)
        longest = max(longest, time.monotonic() - began)


def read_speeds(path: Path) -> Speeds:
    """Returns the speeds among the results of a comparison."""
    rows = json.loads(path.read_text())["rows"]
    return {row["workload"]: row["medians"] for row in rows if row["measure"] == SPEED}


def speed_table(by_device: Mapping[str, Speeds]) -> list[str]:
    """Returns the speeds of one model as a table in Markdown, by where tokens were chosen."""
    columns = [(name, place) for place in by_device for name in ("ours", PEER, BARE_LOOP)]
    lines = [f"| tokens/s | {' | '.join(f'{name}, {place}' for name, place in columns)} |"]
    lines.append(f"| --- |{' ---: |' * len(columns)}")
    for workload in next(iter(by_device.values())):
        speeds = [by_device[place].get(workload, {}).get(name) for name, place in columns]
        lines.append(f"| {workload} | {' | '.join('' if s is None else f'{s:,.0f}' for s in speeds)} |")
    return lines


def main() -> None:
    started = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="folder for the results")
    parser.add_argument("--models", type=Path, nargs="+", required=True)
    parser.add_argument("--server", type=Path, required=True, help="llama-server")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32, 64], help="(default: 1 8 32 64)")
    parser.add_argument("--ctx", type=int, default=1024, help="tokens of a slot (default: 1024)")
    parser.add_argument("--minutes", type=float, default=9.0, help="in which to be done (default: 9)")
    parser.add_argument("--options", default="", help='more for benchmarks.serve, as in --options="--rounds 3"')
    arguments = parser.parse_args()
    comparisons = [Comparison(model, place, arguments.results) for model in arguments.models for place in SAMPLED_ON]
    run_all(comparisons, arguments, started)
    for model in arguments.models:
        results = {each.sampled_on: each.json for each in comparisons if each.model == model and each.json.exists()}
        if results:
            print(f"\n{model.stem}\n")
            print("\n".join(speed_table({place: read_speeds(path) for place, path in results.items()})))


if __name__ == "__main__":
    main()
