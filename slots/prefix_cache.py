"""Which tokens of a prompt are in the KV cache already. Pure: it knows tokens, not llama.cpp."""

from collections.abc import Sequence

_STRIDE = 256
"""Tokens compared at once: slices are compared in C, single tokens are not."""


def common_prefix_length(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two sequences of the same type have in common at their beginnings."""
    longest = min(len(one), len(other))
    start = 0
    while start < longest and one[start : start + _STRIDE] == other[start : start + _STRIDE]:
        start += _STRIDE
    while start < longest and one[start] == other[start]:
        start += 1
    return min(start, longest)


def reusable_prefix_length(cached: Sequence[int], prompt: Sequence[int]) -> int:
    """How many tokens of a prompt need not be computed.

    At least one always is: the logits for the next token come from computing the last one.
    """
    return min(common_prefix_length(cached, prompt), len(prompt) - 1)
