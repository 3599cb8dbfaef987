"""Sets of characters, as ranges of code points."""

from collections.abc import Iterable

Ranges = tuple[tuple[int, int], ...]
"""First and last code points, in order, with gaps in between."""

LAST_CHARACTER = 0x10FFFF
_SURROGATES = (0xD800, 0xDFFF)


def union(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The characters in any of the ranges. Surrogates are no characters: no text has them."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return _without_surrogates(merged)


def complement(ranges: Ranges) -> Ranges:
    """All other characters."""
    gaps, start = [], 0
    for first, last in ranges:
        gaps.append((start, first - 1))
        start = last + 1
    gaps.append((start, LAST_CHARACTER))
    return _without_surrogates(gaps)


def _without_surrogates(ranges: Iterable[tuple[int, int]]) -> Ranges:
    low, high = _SURROGATES
    parts = [part for a, b in ranges for part in ((a, min(b, low - 1)), (max(a, high + 1), b))]
    return tuple((first, last) for first, last in dict.fromkeys(parts) if first <= last)


ANY_CHARACTER = complement(())
