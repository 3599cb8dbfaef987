"""How much of the speed is left when the text has to match a JSON schema: python -m benchmarks.grammar [--peer PROGRAM]

Several clients at once request the same number of tokens each, with a schema and without. The schema is that of an
array longer than any text here, and free texts do not end either, so that all have the same number of tokens. The
target is 85% of the free speed with 16 clients, and 4 times the speed of llama.cpp's server under the same schema.

The rounds are interleaved: each has the free and the constrained texts of every server. The first one does not count.
The table has medians, and ratios, which are medians over the rounds, too.

A peer is llama.cpp's server, a program, which is started with the same model and a slot for each client, or the URL of
a running one; benchmarks/README.md says how to build it. The vocabulary of the bundled model is small: what masks cost
shows on one of 150,000 tokens.
"""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version

from benchmarks.harness.arguments import make_parser
from benchmarks.harness.client import run_concurrently
from benchmarks.harness.llama_client import Endpoint
from benchmarks.harness.peer import LLAMA_SERVER_HELP, llama_server_command, running_peer
from benchmarks.harness.prompts import ENDLESS_SCHEMA
from benchmarks.harness.report import (
    Rounds,
    format_info,
    markdown_table,
    median_ratio,
    medians,
    run_info,
    run_rounds,
    write_results,
)
from benchmarks.harness.server_process import start_our_server

PROMPT = "A list of all people in the village, with what they like to do:\n"
SAMPLERS = {
    "temperature": 0.8,
    "top_k": 40,
    "top_p": 0.95,
    "min_p": 0.05,
    "repeat_penalty": 1.1,
    "repeat_last_n": 64,
}
"""Our defaults, spelled out for the peer."""


@dataclass(frozen=True)
class Row:
    """The medians of one server."""

    n_clients: int
    server: str
    free: float
    """Tokens per second."""
    constrained: float
    """The same under the schema."""
    constrained_to_free: float
    ratio_to_ours: float | None
    """The speed under the schema to that of our server."""


def measure_speed(endpoint: Endpoint, n_clients: int, n_predict: int, seed: int, **options: object) -> float:
    """Returns the tokens of all clients by the seconds until the last one has its own."""
    prompt = endpoint.tokenize(PROMPT)
    options = {**SAMPLERS, **options, "cache_prompt": False}
    calls = [
        partial(client.ask, prompt, n_predict, seed=seed + number, **options)
        for number, client in enumerate(endpoint.clients(n_clients))
    ]
    _, seconds = run_concurrently(calls)
    return n_clients * n_predict / seconds


def measure_server(endpoint: Endpoint, n_clients: int, n_predict: int, seed: int) -> dict[str, float]:
    """Returns both speeds of a server and their ratio."""
    free = measure_speed(endpoint, n_clients, n_predict, seed)
    constrained = measure_speed(endpoint, n_clients, n_predict, seed, json_schema=ENDLESS_SCHEMA)
    return {"free": free, "constrained": constrained, "constrained_to_free": constrained / free}


def measure(endpoints: Sequence[Endpoint], n_clients: int, n_predict: int, n_rounds: int) -> list[Row]:
    """Returns the medians for one number of clients; the first of the servers is ours."""
    rounds: Rounds = run_rounds(
        n_rounds,
        lambda number: {each.name: measure_server(each, n_clients, n_predict, 1000 * number) for each in endpoints},
    )
    ours = endpoints[0].name
    return [
        Row(n_clients, name, **medians(rounds, name), ratio_to_ours=median_ratio(rounds, "constrained", name, ours))
        for name in rounds[0]
    ]


def table(rows: Sequence[Row]) -> str:
    """Returns the rows as a table in Markdown."""
    header = ["clients", "server", "free", "under the schema", "of free", "ours to it"]
    cells = [
        [
            row.n_clients,
            row.server,
            f"{row.free:.0f}",
            f"{row.constrained:.0f}",
            f"{row.constrained_to_free:.0%}",
            f"{1 / row.ratio_to_ours:.2f}" if row.ratio_to_ours else "",
        ]
        for row in rows
    ]
    return markdown_table(header, cells, n_labels=2)


def main() -> None:
    arguments = read_arguments()
    info = run_info(
        llguidance=version("llguidance"),
        model=arguments.model.name,
        n_predict=arguments.n_predict,
        rounds=arguments.rounds,
    )
    print(f"tokens/s, medians; {format_info(info)}", flush=True)
    n_slots, n_ctx = max(arguments.clients), 256 * (2 + arguments.n_predict // 256)
    flags = ["--model", str(arguments.model), "--parallel", str(n_slots), "--ctx-size", str(n_slots * n_ctx)]
    with ExitStack() as stack:
        endpoints = [Endpoint("ours", stack.enter_context(start_our_server(*flags)).url)]
        for peer in arguments.peer:
            command = llama_server_command(peer, arguments.model, n_slots, n_ctx)
            endpoints.append(Endpoint("llama.cpp", stack.enter_context(running_peer(peer, command))))
        rows = [row for n in arguments.clients for row in measure(endpoints, n, arguments.n_predict, arguments.rounds)]
    print(table(rows))
    write_results(arguments.json, info, rows=rows)


def read_arguments() -> argparse.Namespace:
    parser = make_parser(__doc__, n_rounds=5, results="grammar.json")
    parser.add_argument("--peer", action="append", default=[], help=LLAMA_SERVER_HELP)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16], help="(default: 1 4 16)")
    parser.add_argument("--n-predict", type=int, default=128, help="tokens for each client and round (default: 128)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
