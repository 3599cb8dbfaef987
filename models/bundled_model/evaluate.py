"""Evaluation of the exported model with llama.cpp, on data that was held out of its training.

python -m models.bundled_model.evaluate --model models/bundled.gguf --stories ../shared/data/tinystories-sample.txt
"""

import argparse
import ast
import re
import warnings
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from random import Random

import numpy as np

from models.bundled_model.corpus.chat import chat_prompt
from models.bundled_model.corpus.code import any_recipe, function
from models.bundled_model.corpus.fim import CUTS, Infill, draw_infill, prompt
from models.bundled_model.corpus.howto import HELD_OUT_TASKS
from models.bundled_model.corpus.mixture import documents
from models.bundled_model.corpus.phrasing import BREAK, capitalized
from models.bundled_model.corpus.questions import ANY_FACT, Exchange, arithmetic
from models.bundled_model.corpus.stories import load_stories
from models.bundled_model.held_out import INFILLS
from models.bundled_model.llama_runner import CONTEXT_LENGTH, GREEDY, SERVER_DEFAULTS, Runner, Sampling

SEED = 4
LOSS_TOKENS_A_KIND = 4_000
LONG_ROWS = 8
POSITIONS = ((0, 256), (256, 1024), (1024, 2047))
INFILL_COUNT, CHAT_COUNT = 100, 100
LIST_LENGTHS = (5, 10)
MAX_INFILL_TOKENS, MAX_LIST_TOKENS, MAX_ANSWER_TOKENS = 64, 160, 48
ITEM = re.compile(r"^(?:Step )?(\d+)[.:)] \S", re.MULTILINE)


def is_python(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def share(results: Iterator[bool]) -> float:
    return float(np.mean(list(results)))


def loss_by_kind(runner: Runner, held_out_stories: list[str]) -> dict[str, float]:
    """The mean loss of each kind of held-out document, in nats per token."""
    losses: dict[str, list[float]] = {}
    for kind, text in islice(documents(held_out_stories, SEED), 3000):
        kind_losses = losses.setdefault(kind, [])
        if len(kind_losses) < LOSS_TOKENS_A_KIND:
            kind_losses.extend(runner.losses(runner.tokenize(text.replace(BREAK, ""))[:CONTEXT_LENGTH]))
    return {kind: float(np.mean(kind_losses)) for kind, kind_losses in losses.items()}


def loss_by_position(runner: Runner, held_out_stories: list[str]) -> dict[str, float]:
    """The mean loss at early, middle and late positions of a full context of held-out documents."""
    texts = (text.replace(BREAK, "") for _, text in documents(held_out_stories, SEED + 1))
    rows = []
    for _ in range(LONG_ROWS):
        tokens: list[int] = []
        while len(tokens) < CONTEXT_LENGTH:
            tokens += runner.tokenize(next(texts))
        rows.append(runner.losses(tokens[:CONTEXT_LENGTH]))
    losses = np.stack(rows)
    return {f"{start}-{end}": float(losses[:, start:end].mean()) for start, end in POSITIONS}


def fills_validly(runner: Runner, sampling: Sampling, infill: Infill) -> bool:
    middle = runner.complete(prompt(infill), sampling, MAX_INFILL_TOKENS)
    return is_python(infill.prefix + middle + infill.suffix)


Draw = Callable[[Random], str]
Cut = Callable[[str, Random], Infill]


def infills(runner: Runner, sampling: Sampling, draw: Draw, cut: Cut) -> float:
    """The share of functions from `draw`, split by `cut` and filled in by the model, that are valid Python."""
    rng = Random(SEED)
    drawn = (cut(draw(rng), rng) for _ in count())
    missing = islice((infill for infill in drawn if infill.middle.strip()), INFILL_COUNT)
    return share(fills_validly(runner, sampling, infill) for infill in missing)


def handwritten_infills(runner: Runner, sampling: Sampling) -> float:
    return share(fills_validly(runner, sampling, infill) for infill in INFILLS)


def list_numbers(text: str) -> list[int]:
    return [int(number) for number in ITEM.findall(text)]


def step_lists(runner: Runner, sampling: Sampling) -> tuple[float, float]:
    """For held-out tasks: the share of answers that are numbered lists, and that are of the requested length."""
    answers = []
    for task in HELD_OUT_TASKS:
        for length in LIST_LENGTHS:
            opening = f"{capitalized(task.doing)} can be done in {length} simple steps:"
            answers.append((list_numbers(runner.complete(opening, sampling, MAX_LIST_TOKENS)), length))
    numbered = share(len(got) >= 2 and got == list(range(1, len(got) + 1)) for got, _ in answers)
    return numbered, share(got == list(range(1, length + 1)) for got, length in answers)


def held_out_exchanges(draw: Callable[[Random], Exchange], rng: Random) -> Iterator[Exchange]:
    """Distinct questions that were never trained in this wording."""
    seen: set[str] = set()
    for _ in count():
        exchange = draw(rng)
        if exchange.is_held_out and exchange.question not in seen:
            seen.add(exchange.question)
            yield exchange


def is_right(answer: str, exchange: Exchange) -> bool:
    """Whether the answer contains the key as separate words."""
    return re.search(rf"(?<![\w-]){re.escape(exchange.key.strip())}(?!\w)", answer, re.IGNORECASE) is not None


def chat_answers(runner: Runner, sampling: Sampling, draw: Callable[[Random], Exchange]) -> float:
    exchanges = islice(held_out_exchanges(draw, Random(SEED)), CHAT_COUNT)
    return share(is_right(runner.complete(chat_prompt(e.question), sampling, MAX_ANSWER_TOKENS), e) for e in exchanges)


def any_fact(rng: Random) -> Exchange:
    return rng.choice(ANY_FACT)(rng)


def print_report(runner: Runner, held_out_stories: list[str]) -> None:
    for kind, loss in loss_by_kind(runner, held_out_stories).items():
        print(f"held-out loss, {kind}: {loss:.3f} nats a token, perplexity {np.exp(loss):.2f}")
    for positions, loss in loss_by_position(runner, held_out_stories).items():
        print(f"held-out loss at positions {positions}: {loss:.3f}")
    for sampling in (GREEDY, SERVER_DEFAULTS):
        print(f"{sampling.name}:")
        known_or_random = infills(runner, sampling, function, draw_infill)
        print(f"  infills of known and of random code that are valid Python: {known_or_random:.0%}")
        for name, cut in {"in any way": draw_infill, **CUTS}.items():
            valid = infills(runner, sampling, any_recipe, cut)
            print(f"  infills of known functions that are valid Python, cut {name}: {valid:.0%}")
        print(f"  infills of handwritten functions that are valid Python: {handwritten_infills(runner, sampling):.0%}")
        numbered, exact = step_lists(runner, sampling)
        print(f"  step prompts answered by a numbered list: {numbered:.0%}, of the requested length: {exact:.0%}")
        print(f"  held-out questions of fact answered correctly: {chat_answers(runner, sampling, any_fact):.0%}")
        print(f"  held-out sums answered correctly: {chat_answers(runner, sampling, arithmetic):.0%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("models/bundled.gguf"))
    parser.add_argument("--stories", type=Path, default=Path("../shared/data/tinystories-sample.txt"))
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", SyntaxWarning)
    _, held_out_stories = load_stories(arguments.stories)
    print_report(Runner(arguments.model, arguments.threads), held_out_stories)


if __name__ == "__main__":
    main()
