"""The largest logits of several rows, of which the others are not there."""

import numpy as np
import numpy.typing as npt

from slots.llama import Logits
from slots.sampling.logits.workspace import Floats32, Indices

_BITS = 32
"""Of a token, and of a logit."""


class CandidateRows:
    """The tokens with the largest logits of each row, and these logits, which may be changed."""

    def __init__(self, tokens: npt.NDArray[np.int32], logits: Logits) -> None:
        """Both are of shape (rows, candidates) and in any order."""
        # One integer that orders by token and holds the logit.
        packed = tokens.astype(np.int64) << _BITS
        packed |= logits.view(np.uint32)
        packed.sort(axis=1)
        self.tokens: Indices = packed >> _BITS
        """By row, ascending: the lower token has the lower place, as in a whole row."""
        self.flat = np.zeros(logits.size + 1, np.float32)
        """The logits row by row, and a last one that belongs to no token."""
        self.logits: Logits = self.flat[:-1].reshape(logits.shape)
        """Of the tokens, in their order."""
        self.logits[:] = (packed & 0xFFFFFFFF).astype(np.uint32).view(np.float32)
        self.cuts: Floats32 = logits.min(axis=1)
        """What no token that is not there had a larger logit than; not a number if a logit was none. Shape (rows,)."""
        rows = np.arange(len(logits))[:, None] << _BITS
        self._keys: npt.NDArray[np.int64] = (self.tokens | rows).ravel()

    def find(self, rows: Indices, tokens: Indices) -> Indices:
        """Where tokens of some rows are in the flat logits; its last place for one that is not a candidate. All
        of shape (tokens,)."""
        keys = (rows << _BITS) | tokens
        places = self._keys.searchsorted(keys)
        is_there = self._keys.take(places, mode="clip") == keys
        return np.where(is_there, places, self._keys.size)
