"""Bitmask: a set of tokens as 32-bit words, the first token in the lowest bit of the first word."""

import numpy as np
import numpy.typing as npt

from slots.sampling.logits.workspace import Indices

Words = npt.NDArray[np.uint32]
"""Shape (ceil(tokens / 32),)."""


def tokens_in(words: Words) -> Indices:
    used = words.nonzero()[0]
    bits = np.unpackbits(words[used].view(np.uint8), bitorder="little").reshape(-1, 32)
    rows, columns = bits.nonzero()
    return used[rows] * 32 + columns


def words_of(tokens: Indices, n_tokens: int) -> Words:
    """Return the set of some tokens of a vocabulary of `n_tokens`."""
    words = np.zeros((n_tokens + 31) // 32, np.uint32)
    np.bitwise_or.at(words, tokens >> 5, np.left_shift(1, tokens & 31).astype(np.uint32))
    return words


def complement(words: Words, out: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Mark in `out`, shape (vocabulary,), the tokens that are not in a set, and return it."""
    bits = np.unpackbits(words.view(np.uint8), bitorder="little", count=out.size)
    return np.equal(bits, 0, out=out)
