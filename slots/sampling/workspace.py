"""Buffers of the vocabulary's size."""

import numpy as np
import numpy.typing as npt

from slots.sampling.columns import n_columns


class Workspace:
    """Buffers that are kept from token to token, so that none is allocated for each. They belong to a part of the rows,
    which one thread works on."""

    def __init__(self, n_vocab: int) -> None:
        self._doubles: npt.NDArray[np.float64] | None = None
        self.scaled = np.empty(n_vocab, np.float32)
        """Logits at another temperature."""
        self.shifted = np.empty(n_vocab, np.float32)
        self.weights = np.empty(n_vocab, np.float32)
        """With the one above, what a softmax consists of."""
        self.partitioned = np.empty(n_vocab, np.float32)
        self.mask = np.empty(n_vocab, np.bool_)
        self.maxima = np.empty(n_columns(n_vocab), np.float32)

    def doubles(self) -> npt.NDArray[np.float64]:
        """Two buffers of 64-bit numbers, shape (2, vocabulary), which few samplers need."""
        if self._doubles is None:
            self._doubles = np.empty((2, self.scaled.size))
        return self._doubles
