"""Places where a text may be cut into a prompt and what follows, so that the two are tokenized apart.

A prompt that ends in "steps:" or in a space does not end where the tokens of the whole text would: ":\\n" and " Hello"
are single tokens there. Texts that are broken at such places teach the model to go on from either.
"""

import re
from random import Random

BREAK = "\x1f"
BROKEN_SHARE = 0.25
MOST_BREAKS = 3
BREAKABLE = re.compile(r"(?<= )(?=\S)|(?=\n)")


def with_breaks(text: str, rng: Random) -> str:
    """The text, in some cases with breaks after some of its spaces or before some of its line ends."""
    if rng.random() >= BROKEN_SHARE:
        return text
    places = [match.start() for match in BREAKABLE.finditer(text)]
    for place in sorted(rng.sample(places, min(len(places), rng.randint(1, MOST_BREAKS))), reverse=True):
        text = text[:place] + BREAK + text[place:]
    return text


def maybe_break(rng: Random) -> str:
    """A break or nothing, for a place where prompts often end."""
    return BREAK if rng.random() < 0.5 else ""
