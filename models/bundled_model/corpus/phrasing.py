"""Phrasing: helpers that vary the wording of generated texts, and the breaks at which prompts may end."""

import re
from collections.abc import Sequence
from random import Random
from string import Template

VOWELS = "aeiou"
BREAK = "\x1f"
"""Between two breaks a document is tokenized by itself, as a prompt that ends there would be."""
BROKEN_SHARE = 0.25
MAX_BREAKS = 3
BREAKABLE = re.compile(r"(?<= )(?=\S)|(?=\n)")
IRREGULAR_PLURALS = {"mouse": "mice", "fish": "fish", "sheep": "sheep", "wolf": "wolves"}


def split_words(text: str) -> list[str]:
    return text.split()


def with_article(noun: str) -> str:
    """The noun after "a" or "an"."""
    return f"{'an' if noun[0] in VOWELS else 'a'} {noun}"


def plural(noun: str) -> str:
    if noun in IRREGULAR_PLURALS:
        return IRREGULAR_PLURALS[noun]
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in VOWELS:
        return noun[:-1] + "ies"
    return noun + "s"


def capitalized(text: str) -> str:
    """The text with its first letter in upper case and the rest unchanged."""
    return text[:1].upper() + text[1:]


def join_english(items: Sequence[str]) -> str:
    """The items as an English list: "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def fill_template(rng: Random, templates: Sequence[str], **words: object) -> str:
    """One of the templates, with its $names replaced by the words."""
    return Template(rng.choice(templates)).substitute(words)


def with_breaks(text: str, rng: Random) -> str:
    """The text, sometimes with breaks after some spaces or before some line ends."""
    if rng.random() >= BROKEN_SHARE:
        return text
    positions = [match.start() for match in BREAKABLE.finditer(text)]
    for position in sorted(rng.sample(positions, min(len(positions), rng.randint(1, MAX_BREAKS))), reverse=True):
        text = text[:position] + BREAK + text[position:]
    return text


def maybe_break(rng: Random) -> str:
    """A break or nothing, for positions where prompts often end."""
    return BREAK if rng.random() < 0.5 else ""
