"""Sets of small numbers, as the bits of integers."""

from collections.abc import Iterator


def bits(numbers: int) -> Iterator[int]:
    """The numbers in a set, in order."""
    while numbers:
        lowest = numbers & -numbers
        yield lowest.bit_length() - 1
        numbers ^= lowest
