"""Shapes: groups of steps whose times can be compared."""

from typing import Literal

MAX_EXACT = 8
"""Up to as many tokens, steps of another number of tokens are another shape."""

Kind = Literal["few", "many"]
"""Few tokens, as while texts are generated: the weights are read for each. Many, as in prompts: they are computed with.
What another program costs is about the same for all steps of a kind."""


def step_shape(n_tokens: int) -> int:
    """Returns the shape of a step: the smallest number of tokens that has it."""
    if n_tokens <= MAX_EXACT:
        return n_tokens
    return max(1 << (n_tokens.bit_length() - 1), MAX_EXACT + 1)


def step_kind(n_tokens: int) -> Kind:
    return "few" if n_tokens <= MAX_EXACT else "many"


def step_work(n_tokens: int) -> int:
    """Returns what the time of a step is divided by, to compare it with others of its shape."""
    return 1 if n_tokens <= MAX_EXACT else n_tokens
