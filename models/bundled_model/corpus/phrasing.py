"""Small helpers that vary how a generated text is worded."""

import re
from collections.abc import Sequence
from random import Random
from string import Template

VOWELS = "aeiou"
IRREGULAR_PLURALS = {"mouse": "mice", "fish": "fish", "sheep": "sheep", "wolf": "wolves"}


def split_words(text: str) -> list[str]:
    """The words of the text."""
    return text.split()


def with_article(noun: str) -> str:
    """The noun behind "a" or "an"."""
    return f"{'an' if noun[0] in VOWELS else 'a'} {noun}"


def plural(noun: str) -> str:
    """The plural of a noun."""
    if noun in IRREGULAR_PLURALS:
        return IRREGULAR_PLURALS[noun]
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in VOWELS:
        return noun[:-1] + "ies"
    return noun + "s"


def capitalized(text: str) -> str:
    """The text with its first letter made large and the rest as it was."""
    return text[:1].upper() + text[1:]


def join_english(items: Sequence[str]) -> str:
    """The items as an English list: "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def fill_template(rng: Random, templates: Sequence[str], **words: object) -> str:
    """One of the templates, its $names replaced by the words."""
    return Template(rng.choice(templates)).substitute(words)


BREAK = "\x1f"
BROKEN_SHARE = 0.25
MAX_BREAKS = 3
BREAKABLE = re.compile(r"(?<= )(?=\S)|(?=\n)")


def with_breaks(text: str, rng: Random) -> str:
    """The text, in some cases with breaks after some of its spaces or before some of its line ends."""
    if rng.random() >= BROKEN_SHARE:
        return text
    places = [match.start() for match in BREAKABLE.finditer(text)]
    for place in sorted(rng.sample(places, min(len(places), rng.randint(1, MAX_BREAKS))), reverse=True):
        text = text[:place] + BREAK + text[place:]
    return text


def maybe_break(rng: Random) -> str:
    """A break or nothing, for a place where prompts often end."""
    return BREAK if rng.random() < 0.5 else ""
