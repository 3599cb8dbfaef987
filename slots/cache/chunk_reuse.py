"""Chunk reuse: finds chunks of a cached text that a prompt contains at another position. Pure."""

from collections.abc import Sequence

MAX_RANGES = 32
"""The search ends after this many: for each one llama.cpp visits every cell, which stalls all slots."""

MAX_COMPARED = 1_000_000
"""The search ends after comparing this many tokens: in texts with repetitions it would take very long."""


def ranges_to_remove(
    cached: Sequence[int], prompt: Sequence[int], n_common: int, min_chunk: int
) -> tuple[list[tuple[int, int]], int]:
    """Find the parts of the cached text after `n_common` common tokens that the prompt leaves out, as llama.cpp does
    for `--cache-reuse`. Each chunk between them has at least `min_chunk` tokens.

    Returns the ranges [start, end) to remove one after the other, as indices into what the previous removals left, and
    how many tokens then match the prompt.
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
    """Length of the common prefix of `cached[position:]` and `prompt[start:]`: mostly 0, for which slices are slow."""
    max_length = min(len(cached) - position, len(prompt) - start)
    length = 0
    while length < max_length and cached[position + length] == prompt[start + length]:
        length += 1
    return length
