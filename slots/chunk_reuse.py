"""Which chunks of a cached text a prompt has again, behind something that is gone. Pure."""

from collections.abc import Sequence

from slots.prefix_tree import common_prefix_length


def ranges_to_remove(
    cached: Sequence[int], prompt: Sequence[int], n_common: int, least: int
) -> tuple[list[tuple[int, int]], int]:
    """Where the prompt leaves out parts of the cached text behind the `n_common` tokens that both begin with.

    Returns the ranges [start, end) of the cached tokens that are to be removed one after the other, each in terms of
    what the ones before it left, and how many tokens then agree with the prompt. A chunk that stays has at least
    `least` tokens, and follows right behind what agrees already, as with llama.cpp's `--cache-reuse`.
    """
    ranges: list[tuple[int, int]] = []
    n_agreed, n_removed = n_common, 0
    place = n_common
    while place < len(cached) and n_agreed < len(prompt):
        length = _run_length(cached, place, prompt, n_agreed)
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


def _run_length(cached: Sequence[int], start: int, prompt: Sequence[int], begin: int) -> int:
    if cached[start] != prompt[begin]:
        return 0
    return common_prefix_length(prompt[begin:], cached, start)
