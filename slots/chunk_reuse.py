"""Which chunks of a cached text a prompt has again, behind something that is gone. Pure."""

from collections.abc import Sequence

from slots.prefix_tree import common_prefix_length

_MOST_COMPARED = 1_000_000
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
    rest = prompt[n_agreed:]
    while place < len(cached) and rest and n_compared < _MOST_COMPARED:
        length = common_prefix_length(rest, cached, place) if cached[place] == rest[0] else 0
        n_compared += length
        if length < least:
            place += 1
            continue
        gap = place - n_removed - n_agreed
        if gap > 0:
            ranges.append((n_agreed, n_agreed + gap))
            n_removed += gap
        place += length
        n_agreed += length
        rest = prompt[n_agreed:]
    return ranges, n_agreed
