"""The tokens that are evaluated of prompts with cached prefixes: python -m benchmarks.prefix [--peer PROGRAM]

- burst: 8 requests at once with a new common prefix of 768 tokens and 16 tokens of their own. The target is to evaluate
  at most 1.05 times the prefix and the 8 suffixes, in each round.
- chat: 16 sessions of 8 turns on 4 slots. The target is to evaluate what is new, and nothing twice, in each round.
- agents: 4 coding agents at once on 4 slots, 20 steps each, with a new common system prompt of 6,000 tokens. In each
  step an agent sends everything so far, gets a call of 24 tokens, and appends it and the result of a tool, 24 to 160
  tokens. A slot needs 8,088 tokens; if the model was trained for fewer, the system prompt and then the steps are fewer.
  The target is as that of chat.
- long and shared, the workloads for the choice of a layout, with cells of their own for each slot and with one pool:
  8 independent prompts of 1,024 tokens; 8 prompts with a new common prefix of 768. All are computed first, then 64
  tokens are generated after each, so that the two speeds are measured apart.
- lookup: prompts of 1,000 tokens among 10,000 parked sequences: families of 100 that have 500 tokens in common, and
  chats with one system prompt, each parked at 8 turns with an answer that it did not continue with. The target is at
  most 100 microseconds for each kind of prompt, as a median.

The rounds of the servers that are compared are interleaved, with the same prompts for each, new ones in each round; a
first round does not count. The tables have medians, and ratios, which are medians over the rounds, too, how many cores
other programs used meanwhile, and whether our server meets each target; if it misses one, the benchmark fails after it
has written the results.

In the first round every answer is compared with the one that the same server gives alone and without the cache (of the
two layouts, both with that of the first), and so are the probabilities of the first token when the prompt is sent
again. If texts differ from two tokens on that are no near tie, or one text is a part of the other, the benchmark fails.
The same is done on a copy of the bundled model that rounds so little that nothing may differ. --no-texts leaves all of
this out: prompts of thousands of tokens take long without the cache, and a run that only measures can be short.

A peer is llama.cpp's server: a program, which is started for each workload with its slots and its default flags, or the
URL of a running one, which takes part in the workloads for which it has the right number of slots.
benchmarks/README.md says how to build it.
"""

import argparse
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness.arguments import make_parser
from benchmarks.harness.peer import LLAMA_SERVER_HELP
from benchmarks.harness.report import format_info, format_number, markdown_table, run_info, write_results
from benchmarks.prefix.comparison import LAYOUTS, Comparison, Flags, Row, TextResults
from benchmarks.prefix.float32_copy import write_float32_copy
from benchmarks.prefix.lookup import Lookup, measure_lookups
from benchmarks.prefix.targets import evaluation_targets, lookup_targets, targets_table
from benchmarks.prefix.texts import Tolerance
from benchmarks.prefix.workloads import WORKLOADS
from models.source import BUNDLED_MODEL

OURS: dict[str, Mapping[str, Flags]] = {
    "burst": {"ours": ()},
    "chat": {"ours": ()},
    "agents": {"ours": ()},
    "long": LAYOUTS,
    "shared": LAYOUTS,
}
"""For each workload the flags of our servers, by name."""

QUANTIZED_TOLERANCE = Tolerance(gap=0.25, shift=0.5)
"""For a model as it is used. On the bundled one, with 8-bit weights and flash attention, texts were seen to differ at a
gap of 0.14 without any cache, and shifts of 0.23 occurred. Most other texts are further away, but not all."""

FLOAT32_TOLERANCE = Tolerance(gap=0.001, shift=0.001)
"""For 32-bit floats, where rounding leads to shifts of 0.000005. One other token among 800 leads to 0.02 or more."""

FLOAT32_LAYOUTS = {
    name: (*flags, "--flash-attn", "off", "--cache-type-k", "f32", "--cache-type-v", "f32")
    for name, flags in LAYOUTS.items()
}
"""The flags with which a model in 32-bit floats rounds the least."""


def table(rows: Sequence[Row]) -> str:
    """Returns the rows of one workload as a table in Markdown, followed by the ratios to the first of them."""
    values: list[tuple[str, Mapping[str, float | None]]] = [(row.server, row.medians) for row in rows]
    values += [(f"{row.server} : {rows[0].server}", row.ratios) for row in rows[1:]]
    cells = [[name, *(format_number(value, n_decimals=3) for value in each.values())] for name, each in values]
    return markdown_table([rows[0].workload, *rows[0].medians], cells)


def texts_table(texts: Sequence[TextResults]) -> str:
    """Returns how many texts are the same as a table in Markdown."""
    header = ["answers without and with the cache", "", ""]
    header += ["same", "near ties", "different", "largest gap", "largest shift"]
    cells = [
        [
            each.model,
            each.workload,
            each.server,
            each.agreement.same,
            each.agreement.near_ties,
            each.agreement.different,
            f"{each.agreement.largest_gap:.2g}",
            f"{each.agreement.largest_shift:.2g}",
        ]
        for each in texts
    ]
    return markdown_table(header, cells, n_labels=3)


def lookup_table(lookups: Sequence[Lookup]) -> str:
    """Returns the times as a table in Markdown."""
    header = ["prompt of 1,000 tokens", "found", "median, µs", "99 %, µs", "bytes for each parked token"]
    cells = [
        [each.prompts, each.n_found, f"{each.median_us:.1f}", f"{each.p99_us:.1f}", f"{each.bytes_per_token:.1f}"]
        for each in lookups
    ]
    return markdown_table(header, cells)


def main() -> None:
    arguments = read_arguments()
    info = run_info(model=arguments.model.name, rounds=arguments.rounds, seed=arguments.seed)
    print(f"medians; {format_info(info)}", flush=True)
    rows, texts = compare(arguments)
    lookups = list(measure_lookups()) if "lookup" in arguments.only else []
    if lookups:
        print(f"\n{lookup_table(lookups)}")
    targets = evaluation_targets(row for row in rows if row.server in OURS[row.workload]) + lookup_targets(lookups)
    if targets:
        print(f"\n{targets_table(targets)}")
    write_results(arguments.json, info, rows=rows, texts=texts, lookups=lookups, targets=targets)
    failures = [target.failure_message for target in targets if not target.is_met]
    if n_different := sum(each.agreement.different for each in texts):
        failures.append(f"{n_different} answers are not those that are generated without the cache")
    if failures:
        sys.exit("\n".join(failures))


def read_arguments() -> argparse.Namespace:
    parser = make_parser(__doc__, n_rounds=5, results="prefix.json")
    parser.add_argument("--peer", action="append", default=[], help=LLAMA_SERVER_HELP)
    names = [*WORKLOADS, "lookup"]
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="workloads (default: all)")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="of the prompts (default: a new one)")
    parser.add_argument("--no-texts", dest="texts", action="store_false", help="do not compare texts")
    return parser.parse_args()


def compare(arguments: argparse.Namespace) -> tuple[list[Row], list[TextResults]]:
    """Returns the rows and the texts of all workloads, which are printed, too."""
    all_rows, all_texts = [], []
    with TemporaryDirectory() as folder:
        float32_model = Path(folder) / "bundled-f32.gguf"
        if arguments.texts:
            write_float32_copy(BUNDLED_MODEL, float32_model)
        for name in [name for name in WORKLOADS if name in arguments.only]:
            quantized = Comparison(
                arguments.model, name, OURS[name], QUANTIZED_TOLERANCE, arguments.seed, arguments.peer
            )
            rows, texts = quantized.run(arguments.rounds, with_texts=arguments.texts)
            print(f"\n{table(rows)}", flush=True)
            if arguments.texts:
                float32 = Comparison(float32_model, name, FLOAT32_LAYOUTS, FLOAT32_TOLERANCE, arguments.seed)
                texts += float32.run(0, with_texts=True)[1]
                print(f"\n{texts_table(texts)}", flush=True)
            all_rows += rows
            all_texts += texts
    return all_rows, all_texts


if __name__ == "__main__":
    main()
