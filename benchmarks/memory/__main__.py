"""What servers need beyond the model and the KV cache: python -m benchmarks.memory [--peer "llama-server ..."]

Each server is started with each number of slots, all of --ctx tokens, and measured twice: when it has come to rest
after the start, and at the most that it needs while all slots generate. Shown is, in MiB:

- resident: what the process has in memory (VmRSS, then VmHWM), shared libraries and mapped files included.
- weights: the pages of the model's file that are in memory, and what llama.cpp's log says was copied or packed anew,
  as with --no-mmap or where the processor has a better layout.
- KV cache: layers x cells x bytes of a token's keys and values (16-bit); llama.cpp's log has to agree.
- beyond: what is left of resident.
- output, compute: the buffers among that which llama.cpp's log tells of. A compute buffer is reserved for the largest
  batch there may be and becomes resident as far as it was used.

The peer's command gets a free port, in place of {port} or as --port at its end, and the slots and the tokens of all
slots together in place of {slots} and {tokens}. Give llama.cpp's server -lv 4, or it does not tell of its buffers; what
it has copied of the weights then counts as beyond.

The last table is about our server's program alone: its memory after each thing that it makes. Linux only.
"""

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from subprocess import run

from benchmarks.harness.report import format_info, run_info
from benchmarks.memory.row import MemoryRow, table_head, table_line
from benchmarks.memory.server import Load, measure_server
from models.header import read_header
from models.source import BUNDLED_MODEL

RESULTS = Path(__file__).parents[1] / "results"


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=BUNDLED_MODEL, help="GGUF file (default: the bundled one)")
    parser.add_argument("--peer", help="command that starts the other server")
    parser.add_argument("--peer-name", help="what it is called (default: as its program)")
    parser.add_argument("--flags", default="", help="more flags for our server, in one argument")
    parser.add_argument("--threads", type=int, default=0, help="of our server (default: all cores)")
    parser.add_argument("--parallel", type=int, nargs="+", default=[1, 64], help="slots (default: 1 64)")
    parser.add_argument("--ctx", type=int, default=1024, help="tokens of a slot, in steps of 256 (default: 1024)")
    parser.add_argument("--prompt", type=int, default=64, help="tokens of a prompt (default: 64)")
    parser.add_argument("--tokens", type=int, default=16, help="to generate in each slot (default: 16)")
    parser.add_argument("--json", type=Path, default=RESULTS / "memory.json", help="where the results go")
    arguments = parser.parse_args()
    if arguments.ctx < 256 or arguments.ctx % 256:
        parser.error(f"argument --ctx: expected a multiple of 256, as llama.cpp makes it, got {arguments.ctx}")
    return arguments


def commands(arguments: argparse.Namespace) -> dict[str, Sequence[str]]:
    """Returns what starts each server, by name, with {slots} and {tokens} where these belong; ours first."""
    flags = ["--model", str(arguments.model), "--threads", str(arguments.threads), "--verbose"]
    flags += ["--parallel", "{slots}", "--ctx-size", "{tokens}", *shlex.split(arguments.flags)]
    by_name: dict[str, Sequence[str]] = {"ours": [sys.executable, "-m", "server", *flags]}
    if arguments.peer:
        peer = shlex.split(arguments.peer)
        by_name[arguments.peer_name or Path(peer[0]).name] = peer
    return by_name


def fill_in_sizes(command: Sequence[str], n_slots: int, n_ctx: int) -> list[str]:
    """Returns a command with the numbers where they belong."""
    sizes = {"{slots}": str(n_slots), "{tokens}": str(n_slots * n_ctx)}
    for name, number in sizes.items():
        command = [part.replace(name, number) for part in command]
    return list(command)


def measure_stages(model: Path, n_slots: int, n_ctx: int) -> dict[str, float]:
    """Returns what each thing that our program makes adds to its memory, in bytes, in order."""
    command = [sys.executable, "-m", "benchmarks.memory.stages", str(model), str(n_slots), str(n_ctx)]
    stages: dict[str, float] = json.loads(run(command, check=True, capture_output=True, text=True).stdout)
    return stages


def print_stages(by_slots: Mapping[int, Mapping[str, float]]) -> None:
    print(f"\n| ours, made one after the other | {' | '.join(f'{n_slots} slots, MiB' for n_slots in by_slots)} |")
    print(f"| --- |{' ---: |' * len(by_slots)}")
    for stage in next(iter(by_slots.values())):
        print(f"| {stage} | {' | '.join(f'{stages[stage] / 2**20:,.1f}' for stages in by_slots.values())} |")


def main() -> None:
    arguments = read_arguments()
    n_ctx = min(arguments.ctx, read_header(arguments.model).n_ctx_train or arguments.ctx)
    load = Load(arguments.model, n_ctx, arguments.prompt, arguments.tokens)
    measured_on = run_info(model=arguments.model.name, ctx=n_ctx, prompt=arguments.prompt, tokens=arguments.tokens)
    print(f"MiB; {format_info(measured_on)}\n")
    print("\n".join(table_head()), flush=True)
    rows: list[MemoryRow] = []
    with tempfile.TemporaryDirectory() as folder:
        for n_slots in arguments.parallel:
            for name, command in commands(arguments).items():
                sized = fill_in_sizes(command, n_slots, n_ctx)
                measured = measure_server(name, sized, n_slots, load, Path(folder) / f"{name}-{n_slots}.log")
                print("\n".join(map(table_line, measured)), flush=True)
                rows += measured
    stages = {n_slots: measure_stages(arguments.model, n_slots, n_ctx) for n_slots in arguments.parallel}
    print_stages(stages)
    result = {**measured_on, "rows": [asdict(row) for row in rows], "stages": stages}
    arguments.json.parent.mkdir(exist_ok=True, parents=True)
    arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    print(f"\nThe results are in {arguments.json}")


if __name__ == "__main__":
    main()
