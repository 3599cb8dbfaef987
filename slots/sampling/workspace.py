"""Buffers of the vocabulary's size."""

import numpy as np

from slots.sampling.logits.workspace import Floats64, n_columns


class Workspace:
    """Buffers that are kept from token to token, so that none is allocated for each. They belong to a part of the rows,
    which one thread works on."""

    def __init__(self, n_vocab: int) -> None:
        self._doubles: Floats64 | None = None
        self.scaled = np.empty(n_vocab, np.float32)
        """Logits at another temperature."""
        self.shifted = np.empty(n_vocab, np.float32)
        self.weights = np.empty(n_vocab, np.float32)
        """With the one above, what a softmax consists of."""
        self.partitioned = np.empty(n_vocab, np.float32)
        self.mask = np.empty(n_vocab, np.bool_)
        self.maxima = np.empty(n_columns(n_vocab), np.float32)

    def doubles(self) -> Floats64:
        """Two buffers of 64-bit numbers, shape (2, vocabulary), which few samplers need."""
        if self._doubles is None:
            self._doubles = np.empty((2, self.scaled.size))
        return self._doubles
