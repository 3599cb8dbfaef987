"""Which chunks of a cached text a prompt has again, behind something that is gone. Pure."""

from collections.abc import Sequence

MAX_RANGES = 32
"""After so many the search ends: for each, llama.cpp looks at every cell and moves all that is behind, and nothing else
is computed meanwhile."""

MAX_COMPARED = 1_000_000
"""Tokens, after which the search ends: in texts that repeat themselves it would take very long."""


def ranges_to_remove(
    cached: Sequence[int], prompt: Sequence[int], n_common: int, min_chunk: int
) -> tuple[list[tuple[int, int]], int]:
    """Where the prompt leaves out parts of the cached text behind the `n_common` tokens that both begin with.

    Returns the ranges [start, end) of the cached tokens that are to be removed one after the other, each in terms of
    what the ones before it left, and how many tokens then agree with the prompt. A chunk that stays has at least
    `least` tokens, and follows right behind what agrees already, as with llama.cpp's `--cache-reuse`.
    """
    ranges: list[tuple[int, int]] = []
    position, n_matched, n_removed, n_compared = n_common, n_common, 0, 0
    while position < len(cached) and n_matched < len(prompt):
        if len(ranges) == MAX_RANGES or n_compared >= MAX_COMPARED:
            break
        length = _n_equal(cached, position, prompt, n_matched)
        n_compared += 1 + length
        if length < min_chunk:
            position += 1
            continue
        gap = position - n_removed - n_matched
        if gap > 0:
            ranges.append((n_matched, n_matched + gap))
            n_removed += gap
        position += length
        n_matched += length
    return ranges, n_matched


def _n_equal(cached: Sequence[int], position: int, prompt: Sequence[int], start: int) -> int:
    """How many tokens `cached` from a place on and `prompt` from `start` on have in common. One by one: nearly
    everywhere these are none or a few, for which slices would take longer."""
    longest = min(len(cached) - position, len(prompt) - start)
    length = 0
    while length < longest and cached[position + length] == prompt[start + length]:
        length += 1
    return length
