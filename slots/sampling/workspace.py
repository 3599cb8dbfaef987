"""Buffers of the vocabulary's size."""

import numpy as np

from slots.sampling.columns import n_columns


class Workspace:
    """Buffers that are kept from token to token, so that none is allocated for each. Belongs to one thread."""

    def __init__(self, n_vocab: int) -> None:
        self.scaled = np.empty(n_vocab, np.float32)
        """Logits at another temperature."""
        self.shifted = np.empty(n_vocab, np.float32)
        self.weights = np.empty(n_vocab, np.float32)
        """With the one above, what a softmax consists of."""
        self.partitioned = np.empty(n_vocab, np.float32)
        self.mask = np.empty(n_vocab, np.bool_)
        self.maxima = np.empty(n_columns(n_vocab), np.float32)
