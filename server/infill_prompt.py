"""The prompt that makes a model fill a gap: what stands around it, between tokens that say which part is which.

Pure: token ids in, token ids out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

PROJECT = "myproject"
FILE = "filename"
"""What the repository and the file with the gap are called, since requests do not say."""
SNIPPET = "\n\n--- snippet ---\n\n"
"""What stands before each further text where the model has no token for it."""

MOST_ABOVE = 3
"""Tokens that a prompt may have more than `Room` says: not all of those between the parts are counted."""

Tokens = Sequence[int]


@dataclass(frozen=True, slots=True)
class Marks:
    """The tokens around the parts."""

    prefix: int
    suffix: int
    middle: int
    beginning: Tokens = ()
    """BOS, where the model wants it."""


@dataclass(frozen=True, slots=True)
class Gap:
    """What stands around the text that is asked for."""

    prefix: Tokens
    suffix: Tokens
    begun: Tokens = ()
    """The text's own beginning; it follows the prefix."""
    extra: Tokens = ()
    """Of other places in the project, with what separates them."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many tokens of which part there is room for."""

    around: int
    extra: int


def room_for(n_predict: int, n_ctx: int, n_batch: int, *, has_extra: bool) -> Room:
    """Returns what a context of `n_ctx` tokens has room for beside an answer of `n_predict` tokens, -1 for no limit.

    Prefix and suffix get a batch, and what is left goes to the extra tokens; of a small context these get a quarter if
    there are any. How much that is does not depend on how long prefix and suffix are: else the extra tokens would be
    cut elsewhere with each key that is pressed, and none of them found in the cache. For the same reason all short
    answers are left the same room.
    """
    n_text = min(max(n_predict, n_ctx // 8), n_ctx // 2)
    n_free = n_ctx - n_text - MOST_ABOVE
    around = min(n_batch, 3 * n_free // 4 if has_extra else n_free)
    return Room(around, n_free - around)


def infill_prompt(gap: Gap, marks: Marks, room: Room, *, suffix_first: bool) -> tuple[int, ...]:
    """Returns the prompt. Of `room.around` a quarter is for the suffix and the text's beginning, the rest for the
    prefix; both are cut at their far ends."""
    quarter = room.around // 4
    n_suffix = min(len(gap.suffix), max(0, quarter - 2 - len(gap.begun)))
    before = [*_last(gap.prefix, 3 * quarter), *gap.begun]
    prefix = [marks.prefix, *_last(before, 4 * quarter - 2 - n_suffix)]
    suffix = [marks.suffix, *gap.suffix[:n_suffix]]
    around = suffix + prefix if suffix_first else prefix + suffix
    return (*marks.beginning, *_last(gap.extra, room.extra), *around, marks.middle)


def _last(tokens: Tokens, n_tokens: int) -> Tokens:
    return tokens[max(0, len(tokens) - n_tokens) :]
