"""How long a server takes from its command to the first token: python -m benchmarks.start [--peer "llama-server ..."]

Each server is started with one slot of 2,048 tokens, gets one request for one token as soon as its /health says that it
is ready, and is ended. In each round all servers do so with a plain prompt, with a prompt and a JSON schema, and with a
chat, in turns. The table has, for each:

- ready: seconds from the command until /health says so, asked every 10 ms (best, median).
- first token: seconds from the command until the answer is there (best, median).
- private: MiB of the process that belong to no file (RssAnon), after the answer (median). Mapped weights are not among
  them; the KV cache is, and whatever llama.cpp repacks.

Our program is compiled to bytecode before, as it is when it is installed.

The peer's command gets a free port, in place of {port} or as --port at its end. Linux only.
"""

import argparse
import compileall
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import requests

from benchmarks.harness.arguments import add_server_commands, limit_n_ctx, make_parser
from benchmarks.harness.report import format_info, markdown_table, run_info, run_rounds, write_results
from benchmarks.harness.server_process import ServerProcess
from benchmarks.memory.process import private_bytes

N_CTX = 2048
POLL_SECONDS = 0.01
REQUEST_SECONDS = 120
PACKAGES = ("server", "slots", "grammar", "models")
HEADER = ["first request", "server", "ready, best, s", "first token, best, s", "median", "private, MiB"]
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}
PROMPT = {"prompt": "Once upon a time", "n_predict": 1}
REQUESTS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "plain": ("/completion", PROMPT),
    "JSON schema": ("/completion", {**PROMPT, "json_schema": SCHEMA}),
    "chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}),
}
"""The path and the body by name."""

Round = Mapping[str, Mapping[str, float]]
"""What was measured, by request and server, and name."""


def read_arguments() -> argparse.Namespace:
    parser = make_parser(__doc__, n_rounds=5, results="start.json")
    add_server_commands(parser, "command that starts the other server")
    return parser.parse_args()


def commands(arguments: argparse.Namespace) -> dict[str, Sequence[str]]:
    """Returns the command of each server, by name, ours first."""
    n_ctx = limit_n_ctx(N_CTX, arguments.model)
    flags = ["--model", str(arguments.model), "--parallel", "1", "--ctx-size", str(n_ctx)]
    if arguments.threads:
        flags += ["--threads", str(arguments.threads)]
    by_name: dict[str, Sequence[str]] = {
        "ours": [sys.executable, "-m", "server", *flags, *shlex.split(arguments.flags)]
    }
    if arguments.peer:
        peer = shlex.split(arguments.peer)
        by_name[arguments.peer_name or Path(peer[0]).name] = peer
    return by_name


def compile_packages(folder: Path) -> None:
    """Writes the bytecode of our program, which otherwise the first start does, or each if Python may write none."""
    for name in PACKAGES:
        compileall.compile_dir(folder / name, quiet=1)


def measure_start(command: Sequence[str], path: str, body: Mapping[str, object]) -> dict[str, float]:
    """Starts a server, sends it one request, and ends it. Raises RuntimeError if it does not start, or answers with an
    error."""
    with ServerProcess(command, poll_seconds=POLL_SECONDS) as server:
        ready = time.monotonic() - server.started
        answer = requests.post(server.url + path, json=body, timeout=REQUEST_SECONDS)
        first_token = time.monotonic() - server.started
        if not answer.ok:
            raise RuntimeError(f"{path} answered {answer.status_code}: {answer.text}")
        return {"ready": ready, "first_token": first_token, "private": private_bytes(server.pid)}


def table(rounds: Sequence[Round]) -> str:
    """Returns the table of the docstring in Markdown."""
    rows = []
    for key in rounds[0]:
        ready, first, private = ([each[key][name] for each in rounds] for name in ("ready", "first_token", "private"))
        seconds = (f"{min(ready):.2f}", f"{min(first):.2f}", f"{median(first):.2f}")
        rows.append([*key.split(" | "), *seconds, f"{median(private) / 2**20:.0f}"])
    return markdown_table(HEADER, rows, n_labels=2)


def main() -> None:
    arguments = read_arguments()
    servers = commands(arguments)
    compile_packages(Path())

    def measure_round(_number: int) -> Round:
        return {
            f"{request} | {name}": measure_start(command, path, body)
            for request, (path, body) in REQUESTS.items()
            for name, command in servers.items()
        }

    rounds = run_rounds(arguments.rounds, measure_round)
    info = run_info(model=arguments.model.name, rounds=arguments.rounds)
    print(f"{format_info(info)}\n\n{table(rounds)}")
    write_results(arguments.json, info, rounds=rounds)
    print(f"\nThe results are in {arguments.json}")


if __name__ == "__main__":
    main()
