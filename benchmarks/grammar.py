"""How much of the speed is left when the text has to match a JSON schema: python -m benchmarks.grammar [--peer URL]

Several clients at once ask for as many tokens each, with a schema and without. The schema is that of an array longer
than any text here, and free texts do not end either, so all have the same number of tokens. The aim is 85% of the free
speed with 16 clients, and 4 times the speed of llama.cpp's server under the same schema.

The rounds are interleaved: each has the free and the bound texts of every server. The first one does not count. Medians
are shown, and ratios, which are medians over the rounds, too.

A peer is a running server of llama.cpp with the same model and a slot for each client; benchmarks/README.md says how to
build one. The vocabulary of the bundled model is small: what masks cost shows on one of 150,000 tokens.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks.harness.client import run_concurrently
from benchmarks.harness.llama_client import Endpoint
from benchmarks.harness.prompts import ENDLESS_SCHEMA
from benchmarks.harness.report import format_info, run_info
from benchmarks.harness.server_process import start_our_server
from models.source import BUNDLED_MODEL

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
RESULTS = Path(__file__).parent / "results" / "grammar.json"

Speeds = dict[str, float]
"""Tokens per second of one round, by kind."""


@dataclass(frozen=True)
class Row:
    """One server's medians."""

    n_clients: int
    server: str
    free: float
    """Tokens per second."""
    constrained: float
    """The same under the schema."""
    constrained_to_free: float
    ratio_to_ours: float
    """The speed under the schema to that of our server."""


def measure_speed(endpoint: Endpoint, n_clients: int, n_predict: int, seed: int, **options: object) -> float:
    """Returns the tokens of all clients by the seconds until the last of them has its own."""
    prompt = endpoint.tokenize(PROMPT)
    options_for_all = {**SAMPLERS, **options, "cache_prompt": False}
    clients = enumerate(endpoint.clients(n_clients))
    calls = [
        partial(client.ask, prompt, n_predict, seed=seed + number, **options_for_all) for number, client in clients
    ]
    _, seconds = run_concurrently(calls)
    return n_clients * n_predict / seconds


def measure_round(endpoint: Endpoint, n_clients: int, n_predict: int, seed: int) -> Speeds:
    """Returns both speeds of a server."""
    return {
        "free": measure_speed(endpoint, n_clients, n_predict, seed),
        "bound": measure_speed(endpoint, n_clients, n_predict, seed, json_schema=ENDLESS_SCHEMA),
    }


def measure(endpoints: Sequence[Endpoint], n_clients: int, n_predict: int, n_rounds: int) -> list[Row]:
    """Returns the medians for one number of clients; the first of the servers is ours."""
    rounds = [
        {each.name: measure_round(each, n_clients, n_predict, seed=1000 * number) for each in endpoints}
        for number in range(n_rounds + 1)
    ]
    return [_row(n_clients, each.name, endpoints[0].name, rounds[1:]) for each in endpoints]


def _row(n_clients: int, name: str, ours: str, rounds: Sequence[Mapping[str, Speeds]]) -> Row:
    return Row(
        n_clients,
        name,
        free=median(each[name]["free"] for each in rounds),
        constrained=median(each[name]["bound"] for each in rounds),
        constrained_to_free=median(each[name]["bound"] / each[name]["free"] for each in rounds),
        ratio_to_ours=median(each[name]["bound"] / each[ours]["bound"] for each in rounds),
    )


def table(rows: Sequence[Row]) -> str:
    """Returns the rows as a table in Markdown."""
    lines = [
        "| clients | server | free | under the schema | of free | ours to it |",
        "| ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row.n_clients} | {row.server} | {row.free:.0f} | {row.constrained:.0f} "
        f"| {row.constrained_to_free:.0%} | {1 / row.ratio_to_ours:.2f} |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    arguments = _arguments()
    about = run_info(
        llguidance=version("llguidance"),
        model=arguments.model.name,
        n_predict=arguments.n_predict,
        rounds=arguments.rounds,
    )
    print("tokens/s, medians; " + format_info(about), flush=True)
    n_slots = max(arguments.clients)
    n_ctx = n_slots * 256 * (1 + arguments.n_predict // 256 + 1)
    program = start_our_server("--model", str(arguments.model), "--parallel", str(n_slots), "--ctx-size", str(n_ctx))
    try:
        endpoints = [Endpoint("ours", program.url), *(Endpoint("llama.cpp", url) for url in arguments.peer)]
        rows = [row for n in arguments.clients for row in measure(endpoints, n, arguments.n_predict, arguments.rounds)]
    finally:
        program.close()
    print(table(rows))
    arguments.json.parent.mkdir(exist_ok=True)
    arguments.json.write_text(json.dumps({**about, "rows": [asdict(row) for row in rows]}, indent=2) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=BUNDLED_MODEL, help="GGUF file (default: the bundled one)")
    parser.add_argument("--peer", action="append", default=[], metavar="URL", help="a running server of llama.cpp")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--n-predict", type=int, default=128, help="tokens for each client and round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the results go")
    return parser.parse_args()


if __name__ == "__main__":
    main()
