"""What servers need beyond the model and the KV cache: python -m benchmarks.memory [--peer "llama-server ..."]

Each server is started with each number of slots, all of --ctx tokens, and measured twice: at rest after its start, and
at its peak while all slots generate. The table has, in MiB:

- resident: what the process has in memory (VmRSS, then VmHWM), shared libraries and mapped files included.
- weights: the pages of the model's file that are in memory, and what llama.cpp's log says was copied or repacked, as
  with --no-mmap or if the processor has a better layout.
- beside weights: resident without them.
- KV cache, reserved: layers x cells x bytes of a token's keys and values (16-bit); llama.cpp's log has to agree. It is
  a part of what is beside the weights as far as it is resident: all of it with llama.cpp's server, the cells that were
  used with ours.
- output, compute: other parts, as llama.cpp's log reports them. A compute buffer is reserved for the largest possible
  batch, and only the part of it that was used is resident.

The peer's command gets a free port, in place of {port} or as --port at its end, and the slots and the tokens of all
slots together in place of {slots} and {tokens}. Give llama.cpp's server -lv 4, or it does not report its buffers;
copied weights then do not count as weights.

The last table is about our server's program alone: its memory after each thing that it makes. Linux only.
"""

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import run

from benchmarks.harness.arguments import add_server_commands, limit_n_ctx, make_parser
from benchmarks.harness.report import format_info, markdown_table, run_info, table_head, table_row, write_results
from benchmarks.memory.server import Load, MemoryRow, measure_server

HEADER = [
    "server",
    "slots",
    "",
    "resident",
    "weights",
    "beside weights",
    "KV cache, reserved",
    "output",
    "compute, reserved",
]


def read_arguments() -> argparse.Namespace:
    parser = make_parser(__doc__, results="memory.json")
    add_server_commands(parser, "command that starts the other server")
    parser.add_argument("--parallel", type=int, nargs="+", default=[1, 64], help="slots (default: 1 64)")
    parser.add_argument("--ctx", type=int, default=1024, help="tokens of a slot, a multiple of 256 (default: 1024)")
    parser.add_argument("--prompt", type=int, default=64, help="tokens of a prompt (default: 64)")
    parser.add_argument("--tokens", type=int, default=16, help="to generate in each slot (default: 16)")
    arguments = parser.parse_args()
    if arguments.ctx < 256 or arguments.ctx % 256:
        parser.error(f"argument --ctx: expected a multiple of 256, as llama.cpp makes it, got {arguments.ctx}")
    return arguments


def commands(arguments: argparse.Namespace) -> dict[str, Sequence[str]]:
    """Returns the command of each server, by name, ours first, with {slots} and {tokens} in place of the numbers."""
    flags = ["--model", str(arguments.model), "--threads", str(arguments.threads), "--verbose"]
    flags += ["--parallel", "{slots}", "--ctx-size", "{tokens}", *shlex.split(arguments.flags)]
    by_name: dict[str, Sequence[str]] = {"ours": [sys.executable, "-m", "server", *flags]}
    if arguments.peer:
        peer = shlex.split(arguments.peer)
        by_name[arguments.peer_name or Path(peer[0]).name] = peer
    return by_name


def fill_in_sizes(command: Sequence[str], n_slots: int, n_ctx: int) -> list[str]:
    """Returns a command with the numbers in place of {slots} and {tokens}."""
    sizes = {"{slots}": str(n_slots), "{tokens}": str(n_slots * n_ctx)}
    for name, number in sizes.items():
        command = [part.replace(name, number) for part in command]
    return list(command)


def measure_stages(model: Path, n_slots: int, n_ctx: int) -> dict[str, float]:
    """Returns the bytes that each stage of our program's start adds to its memory, in order."""
    command = [sys.executable, "-m", "benchmarks.memory.stages", str(model), str(n_slots), str(n_ctx)]
    stages: dict[str, float] = json.loads(run(command, check=True, capture_output=True, text=True).stdout)
    return stages


def stages_table(by_slots: Mapping[int, Mapping[str, float]]) -> str:
    """Returns the stages as a table in Markdown, with a column for each number of slots."""
    rows = [
        [stage, *(f"{stages[stage] / 2**20:,.1f}" for stages in by_slots.values())]
        for stage in next(iter(by_slots.values()))
    ]
    return markdown_table(["ours, made one after the other", *(f"{n} slots, MiB" for n in by_slots)], rows)


def main() -> None:
    arguments = read_arguments()
    n_ctx = limit_n_ctx(arguments.ctx, arguments.model)
    load = Load(arguments.model, n_ctx, arguments.prompt, arguments.tokens)
    info = run_info(model=arguments.model.name, ctx=n_ctx, prompt=arguments.prompt, tokens=arguments.tokens)
    print(f"MiB; {format_info(info)}\n\n{table_head(HEADER, n_labels=3)}", flush=True)
    rows: list[MemoryRow] = []
    with tempfile.TemporaryDirectory() as folder:
        for n_slots in arguments.parallel:
            for name, command in commands(arguments).items():
                sized = fill_in_sizes(command, n_slots, n_ctx)
                measured = measure_server(name, sized, n_slots, load, Path(folder) / f"{name}-{n_slots}.log")
                print("\n".join(table_row(row.cells) for row in measured), flush=True)
                rows += measured
    stages = {n_slots: measure_stages(arguments.model, n_slots, n_ctx) for n_slots in arguments.parallel}
    print(f"\n{stages_table(stages)}")
    write_results(arguments.json, info, rows=rows, stages=stages)
    print(f"\nThe results are in {arguments.json}")


if __name__ == "__main__":
    main()
