"""Speculative decoding, its gains and costs: python -m benchmarks.speculation [--draft FILE] [--peer COMMAND]

Runs the same server without speculative decoding and with each kind of drafts, and another one if its command is given.
Each answers the same requests in turn; the order changes from round to round, and the first round does not count, so
that all prompts are cached. Prints tokens/s, the best and the median round, the ratio to the server without drafts, and
the numbers of drafted and accepted tokens; also the ratio of CPU time per token, which with `--threads 1` hardly
depends on what else the machine does.

- summary, answers, code edit, JSON: requests that quote their prompt (`texts.py`). A gain is expected.
- letter, ideas: free texts, on which there is nothing to gain, and at most 1.5 % to lose.
- one token: a bias makes the model repeat one token: the maximum gain.
- dice: a bias and a high temperature make the model choose among a few tokens at random: the worst case for drafts.

The prompts are chats if the model has a chat template, else texts to be continued. Both servers of

    python -m benchmarks.speculation --model m.gguf --peer "build/bin/llama-server -m m.gguf -np 1 -c 4096"

also run with `--spec-type ngram-simple` and 3 tokens to match, which are our defaults.
"""

import argparse
import shlex
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from benchmarks.harness.arguments import make_parser
from benchmarks.harness.llama_client import Endpoint
from benchmarks.harness.report import format_info, run_info, table_head, table_row, write_results
from benchmarks.harness.server_process import ServerProcess, start_our_server
from benchmarks.speculation.measurement import HEADER, PLAIN, PromptMaker, Sizes, Target, measure
from benchmarks.speculation.texts import ALL_WORKLOADS
from models.header import read_header

_LOOKUP = ("--spec-type", "ngram-simple", "--spec-ngram-simple-size-n", "3")
_SLOT_TOKENS = 2048


def main() -> None:
    arguments = _arguments()
    about = run_info(
        model=arguments.model.name,
        draft=arguments.draft.name if arguments.draft else None,
        n_predict=arguments.n_predict,
        rounds=arguments.rounds,
    )
    print("tokens/s; " + format_info(about), flush=True)
    programs: list[ServerProcess] = []
    try:
        targets = _start(arguments, programs)
        prompts = PromptMaker(targets[0].endpoint, has_template=read_header(arguments.model).chat_template is not None)
        print(table_head(HEADER, n_labels=2), flush=True)
        rows = []
        for n_clients, name in product(arguments.clients, arguments.texts):
            sizes = Sizes(n_clients, arguments.n_predict, arguments.rounds)
            rows += measure(name, prompts, targets, sizes)
            print("\n".join(table_row(row.cells()) for row in rows[-len(targets) :]), flush=True)
    finally:
        for program in programs:
            program.close()
    write_results(arguments.json, about, rows=rows)


def _start(arguments: argparse.Namespace, programs: list[ServerProcess]) -> list[Target]:
    """Starts all servers, which are added to `programs`; the first one has no drafts."""
    ours: dict[str, list[str]] = {PLAIN: ["--spec-type", "none"], "ngram": list(_LOOKUP)}
    if arguments.draft:
        ours["draft model"] = ["--model-draft", str(arguments.draft)]
    targets = []
    for name, flags in ours.items():
        programs.append(start_our_server(*_common_flags(arguments), *flags))
        targets.append(Target(Endpoint(name, programs[-1].url), programs[-1].pid))
    if arguments.peer:
        for name, more in (("llama.cpp", ()), ("llama.cpp ngram", _LOOKUP)):
            programs.append(ServerProcess([*shlex.split(arguments.peer), *more]))
            targets.append(Target(Endpoint(name, programs[-1].url), programs[-1].pid))
    return targets


def _common_flags(arguments: argparse.Namespace) -> Sequence[str]:
    n_slots = max(arguments.clients)
    sizes = ["--parallel", str(n_slots), "--ctx-size", str(n_slots * _SLOT_TOKENS), "--threads", str(arguments.threads)]
    return ["--model", str(arguments.model), *sizes]


def _arguments() -> argparse.Namespace:
    parser = make_parser(__doc__, n_rounds=7, results="speculation.json")
    parser.add_argument("--draft", type=Path, metavar="FILE", help="GGUF file of a draft model")
    parser.add_argument("--peer", metavar="COMMAND", help="starts a server of llama.cpp with the same model")
    parser.add_argument("--texts", nargs="+", default=list(ALL_WORKLOADS), choices=ALL_WORKLOADS)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--n-predict", type=int, default=128, help="maximum tokens of an answer")
    parser.add_argument("--threads", type=int, default=0, help="of both models (default: the fastest number)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
