"""What is left to compute of prompts whose beginnings are known: python -m benchmarks.prefix [--peer URL]

- burst: 8 requests at once with a new common prefix of 768 tokens and 16 tokens of their own. The aim is to evaluate at
  most 1.05 times the prefix and the 8 suffixes, in each round.
- chat: 16 sessions of 8 turns on 4 slots. The aim is to evaluate what is new, and nothing twice, in each round.
- long and shared, the workloads for the choice of a layout, with cells of their own for each slot and with one pool:
  8 independent prompts of 1,024 tokens; 8 prompts with a new common prefix of 768. All are computed first, then 64
  tokens behind each are generated, so that the two speeds can be told apart.
- lookup: prompts of 1,000 tokens among 10,000 parked sequences: families of 100 that have 500 tokens in common, and
  chats with one system prompt, each parked at 8 turns with an answer that it did not go on with. The aim is at
  most 100 microseconds for each kind of prompt, as a median.

The rounds of the servers that are compared are interleaved, with the same prompts for each, new ones in each round; a
first round does not count. Medians are shown, and ratios, which are medians over the rounds, too. So is whether our
server holds each aim; when one is missed the benchmark fails, after the results were written.

In the first round every answer is compared with the one that the same server gives alone and without the cache (of the
two layouts, both with that of the first), and so are the probabilities of the first token when the prompt is asked
again. Where texts part and the two tokens are no near tie, or one text is a part of the other, the benchmark fails. The
same is done on a copy of the bundled model that rounds so little that nothing may differ.

A peer is a running server of llama.cpp with the same model; benchmarks/README.md says how to build one. It takes part
in the workloads for which it has the right number of slots, so there may be several.
"""

import argparse
import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness.llama_client import Endpoint
from benchmarks.harness.report import format_info, run_info
from benchmarks.prefix.comparison import LAYOUTS, Comparison, Flags, Row, TextResults
from benchmarks.prefix.float32_copy import write_float32_copy
from benchmarks.prefix.lookup import Lookup, measure_lookups
from benchmarks.prefix.targets import evaluation_targets, lookup_targets, targets_table
from benchmarks.prefix.texts import Tolerance
from benchmarks.prefix.workloads import WORKLOADS
from models.source import BUNDLED_MODEL

OURS: dict[str, Mapping[str, Flags]] = {"burst": {"ours": ()}, "chat": {"ours": ()}, "long": LAYOUTS, "shared": LAYOUTS}
"""For each workload the flags of our servers, by what they are called."""

QUANTIZED_TOLERANCE = Tolerance(gap=0.25, shift=0.5)
"""Of a model as it is used. On the bundled one, with 8-bit weights and flash attention, texts were seen to part at a
gap of 0.14 without any cache, and shifts of 0.23. Other texts mostly are further away, but not all."""

FLOAT32_TOLERANCE = Tolerance(gap=0.001, shift=0.001)
"""Of 32-bit floats, where rounding leads to shifts of 0.000005. One other token among 800 leads to 0.02 or more."""

FLOAT32_LAYOUTS = {
    name: (*flags, "--flash-attn", "off", "--cache-type-k", "f32", "--cache-type-v", "f32")
    for name, flags in LAYOUTS.items()
}
"""The flags with which a model in 32-bit floats rounds the least."""

RESULTS = Path(__file__).parents[1] / "results" / "prefix.json"


def table(rows: Sequence[Row]) -> str:
    """Returns the rows of one workload as a table in Markdown, and behind them the ratios to the first."""
    lines = [
        f"| {' | '.join([rows[0].workload, *rows[0].medians])} |",
        f"| --- |{' ---: |' * len(rows[0].medians)}",
        *(_line(row.server, row.medians) for row in rows),
        *(_line(f"{row.server} : {rows[0].server}", row.ratios) for row in rows[1:]),
    ]
    return "\n".join(lines)


def _line(name: str, values: Mapping[str, float | None]) -> str:
    return f"| {' | '.join([name, *map(_cell, values.values())])} |"


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.{0 if value >= 100 else 3}f}"


def texts_table(texts: Sequence[TextResults]) -> str:
    """Returns how many texts are the same as a table in Markdown."""
    lines = [
        "| answers without and with the cache | | | same | near ties | different | largest gap | largest shift |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for each in texts:
        found = each.agreement
        lines.append(
            f"| {each.model} | {each.workload} | {each.server} "
            f"| {found.same} | {found.near_ties} | {found.different} "
            f"| {found.largest_gap:.2g} | {found.largest_shift:.2g} |"
        )
    return "\n".join(lines)


def lookup_table(looked_up: Sequence[Lookup]) -> str:
    """Returns the times as a table in Markdown."""
    lines = [
        "| prompt of 1,000 tokens | found | median, µs | 99 %, µs | bytes for each parked token |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {each.prompts} | {each.n_found} | {each.median_us:.1f} | {each.p99_us:.1f} | {each.bytes_per_token:.1f} |"
        for each in looked_up
    ]
    return "\n".join(lines)


def main() -> None:
    arguments = _arguments()
    about = run_info(
        model=arguments.model.name,
        rounds=arguments.rounds,
        seed=arguments.seed,
    )
    print("medians; " + format_info(about), flush=True)
    rows, texts = _compare(arguments)
    looked_up = _look_up() if "lookup" in arguments.only else []
    aims = evaluation_targets(row for row in rows if row.server in OURS[row.workload]) + lookup_targets(looked_up)
    if aims:
        print(f"\n{targets_table(aims)}")
    result = {
        **about,
        "rows": [asdict(row) for row in rows],
        "texts": [asdict(each) for each in texts],
        "lookups": [asdict(each) for each in looked_up],
        "aims": [asdict(aim) for aim in aims],
    }
    arguments.json.parent.mkdir(exist_ok=True)
    arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    if failures := [*_differences(texts), *(aim.failure_message for aim in aims if not aim.is_met)]:
        sys.exit("\n".join(failures))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=BUNDLED_MODEL, help="GGUF file (default: the bundled one)")
    parser.add_argument("--peer", action="append", default=[], metavar="URL", help="a running server of llama.cpp")
    parser.add_argument("--only", nargs="+", choices=[*WORKLOADS, "lookup"], default=[*WORKLOADS, "lookup"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="of the prompts (default: a new one)")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the results go")
    return parser.parse_args()


def _compare(arguments: argparse.Namespace) -> tuple[list[Row], list[TextResults]]:
    """Returns all medians and what was found out about the texts, which are shown, too."""
    peers = [Endpoint("llama.cpp", url) for url in arguments.peer]
    all_rows, all_texts = [], []
    with TemporaryDirectory() as folder:
        exact = Path(folder) / "bundled-f32.gguf"
        write_float32_copy(BUNDLED_MODEL, exact)
        for name in [name for name in WORKLOADS if name in arguments.only]:
            measured = Comparison(arguments.model, name, OURS[name], QUANTIZED_TOLERANCE, arguments.seed, peers)
            rows, texts = measured.run(arguments.rounds)
            texts += Comparison(exact, name, FLOAT32_LAYOUTS, FLOAT32_TOLERANCE, arguments.seed).run(0)[1]
            print(f"\n{table(rows)}\n\n{texts_table(texts)}", flush=True)
            all_rows += rows
            all_texts += texts
    return all_rows, all_texts


def _look_up() -> list[Lookup]:
    looked_up = list(measure_lookups())
    print(f"\n{lookup_table(looked_up)}")
    return looked_up


def _differences(texts: Sequence[TextResults]) -> list[str]:
    n_different = sum(each.agreement.different for each in texts)
    return [f"{n_different} answers are not those that are generated without the cache"] if n_different else []


if __name__ == "__main__":
    main()
