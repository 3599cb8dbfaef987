"""Speculative decoding, its gains and costs: python -m benchmarks.speculation [--draft FILE] [--peer URL]

Runs the same server without speculative decoding, with n-gram drafts, with n-gram drafts after a match of a single
token, and with a draft model if one is given. Each generates the same texts in turn; the order changes from round to
round, and the first round does not count. Prints medians of tokens/s, medians over the rounds of the ratio to the
server without drafts, and the numbers of drafted and accepted tokens.

- one token: a bias makes the model repeat one token: the maximum gain.
- repeats: the prompt has a story three times and begins it again, at temperature 0. Small models, and those with random
  weights, soon repeat themselves, as the accepted tokens show. A stand-in for summaries that quote and edits that copy,
  as good as the model is.
- noise: the same prompt at temperature 1, which repeats itself only by chance: no gain, and a loss of at most 3 %.
- dice: a bias and a high temperature make the model choose among a few tokens at random. The match of a single token
  always finds a draft, which is nearly always wrong: the worst case.

A peer is a running server of llama.cpp with the same model and a slot for each client, such as
`llama-server --spec-type ngram-simple --spec-ngram-simple-size-n 3`.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.harness.client import run_concurrently
from benchmarks.harness.llama_client import Endpoint
from benchmarks.harness.report import format_info, run_info
from benchmarks.harness.server_process import start_our_server
from models.source import BUNDLED_MODEL

STORY = (
    "One day, Tom and his dog Max went to the big park. They saw a red ball under a tall tree. Max ran to the ball and "
    "brought it back. Tom was very happy and gave Max a hug. Then they sat down on the grass and ate apples until the "
    "sun went down.\n"
)
ALL_TOKENS = {"top_k": 0, "top_p": 1, "min_p": 0}
BEGINNING = "One day, Tom and his"
RESULTS = Path(__file__).parent / "results" / "speculation.json"
PLAIN = "off"


@dataclass(frozen=True)
class Speed:
    """One server in one round."""

    tokens_per_second: float
    n_drafted: int
    n_accepted: int


@dataclass(frozen=True)
class Row:
    """Medians of one server."""

    workload: str
    n_clients: int
    server: str
    tokens_per_second: float
    to_plain: float
    """Ratio of the speed to that without drafts."""
    drafted: float
    """Tokens per round."""
    accepted: float


def workload_options(endpoint: Endpoint) -> dict[str, dict[str, object]]:
    """Returns the sampling options of each workload, by name."""
    tokens = sorted(set(endpoint.tokenize(STORY)))
    return {
        "one token": {"temperature": 0, "logit_bias": [[tokens[0], 1000]]},
        "repeats": {"temperature": 0},
        "noise": {"temperature": 1, **ALL_TOKENS},
        "dice": {"temperature": 10, "logit_bias": [[token, 1000] for token in tokens], **ALL_TOKENS},
    }


def measure_speed(
    endpoint: Endpoint, n_clients: int, n_predict: int, seed: int, options: Mapping[str, object]
) -> Speed:
    """Returns the tokens of all clients divided by the seconds until the last one has finished."""
    prompt = endpoint.tokenize(STORY * 3 + BEGINNING)
    clients = enumerate(endpoint.clients(n_clients))
    calls = [
        partial(client.ask, [*prompt[number:]], n_predict, seed=seed + number, cache_prompt=False, **options)
        for number, client in clients
    ]
    results, seconds = run_concurrently(calls)
    timings = [result["timings"] for result in results]
    drafted, accepted = (sum(each.get(name, 0) for each in timings) for name in ("draft_n", "draft_n_accepted"))
    return Speed(n_clients * n_predict / seconds, drafted, accepted)


def measure(endpoints: Sequence[Endpoint], n_clients: int, n_predict: int, n_rounds: int) -> list[Row]:
    """Returns the medians for one number of clients; the first server has no drafts."""
    rows = []
    for workload, options in workload_options(endpoints[0]).items():
        rounds = []
        for number in range(n_rounds + 1):
            first = number % len(endpoints)
            in_turn = [*endpoints[first:], *endpoints[:first]]
            rounds.append({e.name: measure_speed(e, n_clients, n_predict, 1000 * number, options) for e in in_turn})
        rows += [_row(workload, n_clients, each.name, rounds[1:]) for each in endpoints]
    return rows


def _row(workload: str, n_clients: int, name: str, rounds: Sequence[Mapping[str, Speed]]) -> Row:
    return Row(
        workload,
        n_clients,
        name,
        tokens_per_second=median(each[name].tokens_per_second for each in rounds),
        to_plain=median(each[name].tokens_per_second / each[PLAIN].tokens_per_second for each in rounds),
        drafted=median(each[name].n_drafted for each in rounds),
        accepted=median(each[name].n_accepted for each in rounds),
    )


def table(rows: Sequence[Row]) -> str:
    """Returns the rows as a table in Markdown."""
    lines = [
        "| text | clients | drafts | tokens/s | ratio to off | drafted | accepted |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row.workload} | {row.n_clients} | {row.server} | {row.tokens_per_second:.0f} | {row.to_plain:.2f} "
        f"| {row.drafted:.0f} | {row.accepted:.0f} |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    arguments = _arguments()
    about = run_info(
        model=arguments.model.name,
        draft=arguments.draft.name if arguments.draft else None,
        n_predict=arguments.n_predict,
        rounds=arguments.rounds,
    )
    print("tokens/s, medians; " + format_info(about), flush=True)
    programs = []
    try:
        endpoints = []
        for name, flags in _servers(arguments.draft).items():
            programs.append(start_our_server(*_common_flags(arguments), *flags))
            endpoints.append(Endpoint(name, programs[-1].url))
        endpoints += [Endpoint("llama.cpp", url) for url in arguments.peer]
        rows = [row for n in arguments.clients for row in measure(endpoints, n, arguments.n_predict, arguments.rounds)]
    finally:
        for program in programs:
            program.close()
    print(table(rows))
    arguments.json.parent.mkdir(exist_ok=True)
    arguments.json.write_text(json.dumps({**about, "rows": [asdict(row) for row in rows]}, indent=2) + "\n")


def _servers(draft: Path | None) -> dict[str, list[str]]:
    """Returns the flags of each of our servers, by its name in the table."""
    lookup = ["--spec-type", "ngram"]
    servers = {PLAIN: [], "ngram": lookup, "ngram of 1": [*lookup, "--spec-ngram-simple-size-n", "1"]}
    return servers | ({"draft model": ["--model-draft", str(draft)]} if draft else {})


def _common_flags(arguments: argparse.Namespace) -> list[str]:
    n_slots = max(arguments.clients)
    n_ctx = n_slots * 256 * (1 + (400 + arguments.n_predict) // 256)
    sizes = ["--parallel", str(n_slots), "--ctx-size", str(n_ctx), "--threads", str(arguments.threads)]
    return ["--model", str(arguments.model), *sizes]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=BUNDLED_MODEL, help="GGUF file (default: the bundled one)")
    parser.add_argument("--draft", type=Path, metavar="FILE", help="GGUF file of a draft model")
    parser.add_argument("--peer", action="append", default=[], metavar="URL", help="a running server of llama.cpp")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--n-predict", type=int, default=256, help="tokens for each client and round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=0, help="of llama.cpp (default: all cores)")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file for the results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
