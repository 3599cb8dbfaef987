"""Compares the servers on a GPU, with and without sampling there: python -m benchmarks.gpu.measure RESULTS --models ...

For each model, our server and llama.cpp's are compared twice by benchmarks.serve: both sample on the CPU, then both on
the GPU (--backend-sampling). A comparison that has results already is not run again, and none is started that would
not end in time, so that the same command continues where an earlier one stopped. All results are printed at the end.
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

from benchmarks.harness.report import markdown_table
from benchmarks.serve.comparison import BARE_LOOP, SPEED

PEER = "llama-server"
SAMPLED_ON = {"CPU": "--no-backend-sampling", "GPU": "--backend-sampling"}
"""Our server's flags, by the device that samples."""
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
        """Returns the command that runs it, with as many slots as the maximum of clients."""
        n_slots = max(clients)
        peer = [str(server), "--model", str(self.model), "--gpu-layers", "999"]
        peer += ["--parallel", str(n_slots), "--ctx-size", str(n_slots * n_ctx), *PEER_FLAGS[self.sampled_on]]
        command = [sys.executable, "-m", "benchmarks.serve", "--model", str(self.model), "--json", str(self.json)]
        command += ["--peer", shlex.join(peer), "--peer-name", PEER, f"--flags={SAMPLED_ON[self.sampled_on]}"]
        command += ["--parallel", str(n_slots), "--ctx", str(n_ctx), "--clients", *map(str, clients)]
        return [*command, "--only", *WORKLOADS, *options]


def run_all(comparisons: Sequence[Comparison], arguments: argparse.Namespace, started: float) -> None:
    """Runs the comparisons that have no results yet, until the time is used up."""
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
    """Returns the speeds in the file of a comparison's results."""
    rows = json.loads(path.read_text())["rows"]
    return {row["workload"]: row["medians"] for row in rows if row["measure"] == SPEED}


def speed_table(by_device: Mapping[str, Speeds]) -> str:
    """Returns the speeds of one model as a table in Markdown, by the device that samples."""
    columns = [(name, device) for device in by_device for name in ("ours", PEER, BARE_LOOP)]
    rows = []
    for workload in next(iter(by_device.values())):
        speeds = [by_device[device].get(workload, {}).get(name) for name, device in columns]
        rows.append([workload, *("" if speed is None else f"{speed:,.0f}" for speed in speeds)])
    return markdown_table(["tokens/s", *(f"{name}, {device}" for name, device in columns)], rows)


def main() -> None:
    started = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="folder for the results")
    parser.add_argument("--models", type=Path, nargs="+", required=True)
    parser.add_argument("--server", type=Path, required=True, help="llama-server")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32, 64], help="(default: 1 8 32 64)")
    parser.add_argument("--ctx", type=int, default=1024, help="tokens of a slot (default: 1024)")
    parser.add_argument("--minutes", type=float, default=9.0, help="that all of it may take (default: 9)")
    parser.add_argument("--options", default="", help='more for benchmarks.serve, as in --options="--rounds 3"')
    arguments = parser.parse_args()
    comparisons = [Comparison(model, device, arguments.results) for model in arguments.models for device in SAMPLED_ON]
    run_all(comparisons, arguments, started)
    for model in arguments.models:
        results = {each.sampled_on: each.json for each in comparisons if each.model == model and each.json.exists()}
        if results:
            table = speed_table({device: read_speeds(path) for device, path in results.items()})
            print(f"\n{model.stem}\n\n{table}")


if __name__ == "__main__":
    main()
