"""How much of the speed of a bare loop is left when the server is around it: python -m benchmarks.concurrency

Greedy and with the default samplers, for several numbers of clients. The rounds of what is compared are interleaved,
so that a machine that slows down slows down all of them; medians are shown.
"""

import argparse
import json
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.about import about_this_run, in_words
from benchmarks.bare_loop import BareLoop
from benchmarks.served import Served
from models.source import BUNDLED_MODEL

PROMPT = "Once upon a time, there was a little girl who liked to play in the garden."
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Row:
    """Tokens per second, medians over the rounds."""

    n_clients: int
    bare_loop: float
    greedy: float
    default_samplers: float


def measure(path: Path, n_clients: int, n_predict: int, n_rounds: int) -> Row:
    """Returns the speeds for one number of clients."""
    bare, served = BareLoop(path, n_clients, PROMPT), Served(path, n_clients, PROMPT)
    rounds = []
    for _round in range(n_rounds + 1):
        speeds = (
            bare.tokens_per_second(n_predict),
            served.tokens_per_second(n_predict, temperature=0, repeat_penalty=1),
            served.tokens_per_second(n_predict),
        )
        rounds.append(speeds)
    bare.close()
    served.close()
    warm = rounds[1:]
    return Row(n_clients, *(statistics.median(speeds) for speeds in zip(*warm, strict=True)))


def table(rows: list[Row]) -> str:
    """Returns the rows as a table in Markdown."""
    lines = [
        "| clients | bare loop | served, greedy | of the bare loop | served, default samplers | of the bare loop |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        greedy, default = row.greedy / row.bare_loop, row.default_samplers / row.bare_loop
        lines.append(
            f"| {row.n_clients} | {row.bare_loop:.0f} | {row.greedy:.0f} | {greedy:.0%} "
            f"| {row.default_samplers:.0f} | {default:.0%} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=BUNDLED_MODEL, help="GGUF file (default: the bundled one)")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--n-predict", type=int, default=128, help="tokens for each client and round")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    rows = [measure(arguments.model, n, arguments.n_predict, arguments.rounds) for n in arguments.clients]
    about = about_this_run(
        model=arguments.model.name,
        n_predict=arguments.n_predict,
        rounds=arguments.rounds,
    )
    print("tokens/s, medians; " + in_words(about))
    print(table(rows))
    RESULTS.mkdir(exist_ok=True)
    result = json.dumps({**about, "rows": [asdict(row) for row in rows]}, indent=2)
    (RESULTS / "concurrency.json").write_text(result + "\n")


if __name__ == "__main__":
    main()
