"""Which chunks of a cached text a prompt has again, behind something that is gone. Pure."""

from collections.abc import Sequence

MOST_RANGES = 32
"""After so many the search ends: for each, llama.cpp looks at every cell and moves all that is behind, and nothing else
is computed meanwhile."""

MOST_COMPARED = 1_000_000
"""Tokens, after which the search ends: in texts that repeat themselves it would take very long."""


def ranges_to_remove(
    cached: Sequence[int], prompt: Sequence[int], n_common: int, least: int
) -> tuple[list[tuple[int, int]], int]:
    """Where the prompt leaves out parts of the cached text behind the `n_common` tokens that both begin with.

    Returns the ranges [start, end) of the cached tokens that are to be removed one after the other, each in terms of
    what the ones before it left, and how many tokens then agree with the prompt. A chunk that stays has at least
    `least` tokens, and follows right behind what agrees already, as with llama.cpp's `--cache-reuse`.
    """
    ranges: list[tuple[int, int]] = []
    place, n_agreed, n_removed, n_compared = n_common, n_common, 0, 0
    while place < len(cached) and n_agreed < len(prompt):
        if len(ranges) == MOST_RANGES or n_compared >= MOST_COMPARED:
            break
        length = _n_equal(cached, place, prompt, n_agreed)
        n_compared += 1 + length
        if length < least:
            place += 1
            continue
        gap = place - n_removed - n_agreed
        if gap > 0:
            ranges.append((n_agreed, n_agreed + gap))
            n_removed += gap
        place += length
        n_agreed += length
    return ranges, n_agreed


def _n_equal(cached: Sequence[int], place: int, prompt: Sequence[int], start: int) -> int:
    """How many tokens `cached` from a place on and `prompt` from `start` on have in common. One by one: nearly
    everywhere these are none or a few, for which slices would take longer."""
    longest = min(len(cached) - place, len(prompt) - start)
    length = 0
    while length < longest and cached[place + length] == prompt[start + length]:
        length += 1
    return length
