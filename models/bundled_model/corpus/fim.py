"""Fill-in-the-middle documents: a function with a piece taken out, and the piece at the end.

Bavarian et al., 2022: prefix-suffix-middle order mostly, suffix-prefix-middle order for the rest.
"""

from dataclasses import dataclass
from random import Random

from models.bundled_model.corpus.code import module
from models.bundled_model.corpus.phrasing import split_words
from models.bundled_model.tokenizer import FILE_SEP, FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX, REPO_NAME

SUFFIX_FIRST_SHARE = 0.15
REPOSITORY_SHARE = 0.35
FILE_NAMES = split_words("filename main.py utils.py app.py test.py helpers.py lib.py models.py example.py")
REPOSITORY_NAMES = split_words("myproject myproject demo tools website game notes server")


@dataclass(frozen=True)
class Infill:
    prefix: str
    middle: str
    suffix: str


def _cut(text: str, start: int, end: int) -> Infill:
    return Infill(text[:start], text[start:end], text[end:])


def _anywhere(text: str, rng: Random) -> Infill:
    start = rng.randrange(4, len(text) - 1)
    return _cut(text, start, min(len(text), start + rng.randint(1, 60)))


def _rest_of_line(text: str, rng: Random) -> Infill:
    """From where a cursor usually is: after a space or an opening bracket."""
    start = rng.choice([i + 1 for i, character in enumerate(text[:-2]) if character in " (["])
    return _cut(text, start, text.index("\n", start))


def _lines(text: str, rng: Random) -> Infill:
    breaks = [i for i, character in enumerate(text) if character == "\n"]
    first = rng.randrange(len(breaks) - 1)
    start = breaks[first] + 1
    if rng.random() < 0.5:
        start += len(text[start:]) - len(text[start:].lstrip(" \n"))
    return _cut(text, start, breaks[rng.randrange(first + 1, min(len(breaks), first + 5))])


def _whole_body(text: str, rng: Random) -> Infill:
    start = text.index(":\n") + 1 + rng.choice([0, 1, 5])
    end = text.find("\n\n\n", start)
    return _cut(text, start, (len(text) if end < 0 else end) - rng.choice([0, 1, 1]))


CUTS = {"anywhere": _anywhere, "rest of a line": _rest_of_line, "lines": _lines, "whole body": _whole_body}
CUT_WEIGHTS = (2, 4, 4, 3)


def draw_infill(text: str, rng: Random) -> Infill:
    """Cuts the text in one of the CUTS; the middle is never blank."""
    while True:
        infill = rng.choices(list(CUTS.values()), CUT_WEIGHTS)[0](text, rng)
        if infill.middle.strip():
            return infill


def prompt(infill: Infill, suffix_first: bool = False) -> str:
    """The prefix and the suffix with their special tokens, up to where the middle begins."""
    prefix, suffix = FIM_PREFIX + infill.prefix, FIM_SUFFIX + infill.suffix
    return (suffix + prefix if suffix_first else prefix + suffix) + FIM_MIDDLE


def _repository_header(rng: Random) -> str:
    header = f"{REPO_NAME}{rng.choice(REPOSITORY_NAMES)}\n"
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        header += f"{FILE_SEP}{rng.choice(FILE_NAMES)}\n{module(rng)}"
    return f"{header}{FILE_SEP}{rng.choice(FILE_NAMES)}\n"


def fim_document(rng: Random) -> str:
    """An infill and its middle, sometimes after the name of a repository and other files."""
    infill = draw_infill(module(rng), rng)
    header = _repository_header(rng) if rng.random() < REPOSITORY_SHARE else ""
    return header + prompt(infill, rng.random() < SUFFIX_FIRST_SHARE) + infill.middle
