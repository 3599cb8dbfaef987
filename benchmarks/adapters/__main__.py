"""The speed of requests with different LoRA adapters: python -m benchmarks.adapters [--peer PROGRAM]

8 clients at once, each with requests of its own one after the other: without an adapter, all with one adapter, and two
with each of four adapters. Adapters have random weights of rank 8 for the attention and the feed-forward networks, and
each server has all of them loaded. Answers are streams of the most likely tokens.

llama.cpp's server computes the adapters of the first busy slot until no slot has those, so that the others wait for
whole requests; ours takes turns. Therefore the table has, besides the speed, the time to the first token and the
longest pause of a stream.

In each round every workload is run on each server in turns, with the same prompts, which are new in each round; short
texts before the first one do not count. The table has medians over the rounds, and ratios, which are medians over the
rounds, too. The results are written after each round: --minutes ends a run in time, and the same command with --resume
adds the rounds that are left.

A peer is llama.cpp's server: a program, which is started with the same adapters, 8 slots and its default flags, or the
URL of a running one, which needs the same; benchmarks/README.md says how to build it.
"""

import argparse
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.adapters.lora_file import Lora
from benchmarks.harness.arguments import RESULTS, make_parser
from benchmarks.harness.client import Answer, run_concurrently
from benchmarks.harness.llama_client import CompletionClient, Endpoint
from benchmarks.harness.peer import LLAMA_SERVER_HELP, llama_server_command, running_peer
from benchmarks.harness.prompts import TEXT, PromptTokens
from benchmarks.harness.report import (
    WorkloadRow,
    format_info,
    make_rows,
    run_info,
    workload_table,
    write_results,
)
from benchmarks.harness.rounds import add_round_options, read_earlier, run_rounds_in_time
from benchmarks.harness.server_process import start_our_server
from benchmarks.harness.workload import percentile_ms

N_CLIENTS = 8
N_ADAPTERS = 4
N_REQUESTS = 2
"""Of each client."""
N_PROMPT, N_PREDICT, N_WARM_UP = 64, 128, 4
SLOT_TOKENS = 512
RANK, STRENGTH = 8, 0.2

SPEED, FIRST, LAST, PAUSE = "tokens/s", "first token p50, ms", "first token max, ms", "longest pause, ms"
MEASURES = (SPEED, FIRST, LAST, PAUSE)
OURS = "ours"

Chosen = Sequence[int | None]
"""The adapter of each client."""
Measured = Mapping[str, Mapping[str, Mapping[str, float]]]
"""A round: by workload and server, the values that were measured, by name."""
WORKLOADS: Mapping[str, Chosen] = {
    "no adapter": [None] * N_CLIENTS,
    "1 adapter": [0] * N_CLIENTS,
    "4 adapters": [client % N_ADAPTERS for client in range(N_CLIENTS)],
}


def measure_round(number: int, endpoints: Sequence[Endpoint], ordinary: Sequence[int], n_predict: int) -> Measured:
    """Runs all workloads on all servers, the order of which changes from round to round. `ordinary` are the tokens that
    prompts consist of; each request generates `n_predict`."""
    ordered = endpoints if number % 2 else endpoints[::-1]
    return {
        workload: {
            each.name: measure(each, chosen, PromptTokens(ordinary, [seed, number]), n_predict) for each in ordered
        }
        for seed, (workload, chosen) in enumerate(WORKLOADS.items())
    }


def measure(endpoint: Endpoint, chosen: Chosen, prompts: PromptTokens, n_predict: int) -> dict[str, float]:
    """Lets all clients send their requests, and returns what is measured, by name."""
    calls = [
        partial(_send, client, adapter, [prompts.draw(N_PROMPT) for _request in range(N_REQUESTS)], n_predict)
        for client, adapter in zip(endpoint.clients(N_CLIENTS), chosen, strict=True)
    ]
    by_client, seconds = run_concurrently(calls)
    answers = [answer for answers in by_client for answer in answers]
    first = [answer.first_token_s for answer in answers]
    pauses = [later - earlier for answer in answers for earlier, later in pairwise(answer.arrivals)]
    return {
        SPEED: sum(answer.n_generated for answer in answers) / seconds,
        FIRST: percentile_ms(first, 50),
        LAST: 1000 * max(first),
        PAUSE: 1000 * max(pauses),
    }


def _send(
    client: CompletionClient, adapter: int | None, prompts: Sequence[list[int]], n_predict: int
) -> list[Answer[list[int]]]:
    scales = [{"id": number, "scale": float(number == adapter)} for number in range(N_ADAPTERS)]
    return [client.stream(prompt, n_predict, lora=scales) for prompt in prompts]


def rows_of_all(measured: Sequence[Measured], servers: Sequence[str]) -> list[WorkloadRow]:
    """Returns the rows of all workloads; the first server is ours."""
    return [
        row
        for name in WORKLOADS
        for row in make_rows(name, [each[name] for each in measured], servers, MEASURES, larger_is_better=(SPEED,))
    ]


def write_adapters(folder: Path, model: Path) -> list[Path]:
    """Writes the adapters for a model, and returns their files."""
    return [Lora(seed, STRENGTH, RANK).write(folder / f"adapter-{seed}.gguf", model) for seed in range(N_ADAPTERS)]


def main() -> None:
    arguments = _arguments()
    with TemporaryDirectory() as folder, ExitStack() as stack:
        files = write_adapters(Path(folder), arguments.model)
        endpoints = _start(arguments, files, stack)
        servers = [endpoint.name for endpoint in endpoints]
        info = run_info(
            model=arguments.model.name,
            threads=arguments.threads or "default",
            tokens=arguments.tokens,
            servers=servers,
        )
        measured: list[Measured] = read_earlier(arguments.json, info) if arguments.resume else []
        numbers = range(len(measured) + 1, arguments.rounds + 1)
        ordinary = endpoints[0].tokenize(TEXT)
        measure_round(0, endpoints, ordinary, N_WARM_UP)
        run = partial(measure_round, endpoints=endpoints, ordinary=ordinary, n_predict=arguments.tokens)
        for each in run_rounds_in_time(numbers, run, arguments.started, arguments.minutes):
            measured.append(each)
            rows = rows_of_all(measured, servers)
            write_results(arguments.json, info, rounds=len(measured), rows=rows, measured=measured)
    table = workload_table(rows_of_all(measured, servers), servers)
    print(f"medians of {len(measured)} rounds; {format_info(info)}\n\n{table}")


def _start(arguments: argparse.Namespace, files: Sequence[Path], stack: ExitStack) -> list[Endpoint]:
    """Starts the servers with these adapters; the first one is ours."""
    flags = ["--lora", ",".join(map(str, files)), "--lora-init-without-apply"]
    sizes = ["--model", str(arguments.model), "-np", str(N_CLIENTS), "-c", str(N_CLIENTS * SLOT_TOKENS)]
    threads = ["--threads", str(arguments.threads)] if arguments.threads else []
    endpoints = [Endpoint(OURS, stack.enter_context(start_our_server(*sizes, *threads, *flags)).url)]
    if arguments.peer:
        command = [*llama_server_command(arguments.peer, arguments.model, N_CLIENTS, SLOT_TOKENS), *threads, *flags]
        endpoints.append(Endpoint("llama.cpp", stack.enter_context(running_peer(arguments.peer, command))))
        endpoints[0].check_same_model(endpoints[1])
    return endpoints


def _arguments() -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_round_options(parser, n_rounds=5)
    parser.add_argument("--peer", help=LLAMA_SERVER_HELP)
    parser.add_argument("--threads", type=int, default=0, help="of both servers (default: their own choice)")
    parser.add_argument(
        "--tokens", type=int, default=N_PREDICT, help=f"to generate for each request (default: {N_PREDICT})"
    )
    text = "file for the results (default: benchmarks/results/adapters_MODEL.json)"
    parser.add_argument("--json", type=Path, help=text)
    arguments = parser.parse_args()
    arguments.json = arguments.json or RESULTS / f"adapters_{arguments.model.stem}.json"
    return arguments


if __name__ == "__main__":
    main()
