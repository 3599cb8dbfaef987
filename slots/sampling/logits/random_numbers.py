"""RandomNumbers: the numbers that tokens are drawn with, those of llama.cpp for the same seed."""

import math
from typing import Protocol

import numpy as np

_BELOW_ONE = math.nextafter(1.0, 0.0)


class Random(Protocol):
    """A generator of random numbers; numpy's is one, too."""

    def random(self) -> float:
        """Returns a number from 0 to below 1."""


class RandomNumbers:
    """C++'s `std::uniform_real_distribution` on `std::mt19937`, as GNU's library has it: a number has two outputs of
    the generator, the lower half first. numpy would make other numbers of the same outputs."""

    def __init__(self, seed: int) -> None:
        """`seed` has at most 64 bits; one of 32 bits is used as C++ does."""
        self.bit_generator = np.random.MT19937()
        self.bit_generator._legacy_seeding(seed if seed < 2**32 else [seed % 2**32, seed >> 32])
        self._next_output = self.bit_generator.random_raw

    def random(self) -> float:
        low, high = self._next_output(), self._next_output()
        return min((low | high << 32) / 2**64, _BELOW_ONE)
