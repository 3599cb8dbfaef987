"""Embeddings scaled to the same length."""

import numpy as np

from slots.embedding.pooling import Embedding

NO_NORM = -1
INFINITY_NORM = 0
EUCLIDEAN = 2
MAX_INT16 = 32760
"""As near to the largest number of 16 bits as llama.cpp goes."""


def normalize(embedding: Embedding, norm: int) -> Embedding:
    """Returns float32 numbers in the shape of `embedding`, (n_embd,), divided by its norm: the taxicab norm for 1, the
    Euclidean one for 2, the p-norm for p; for 0 the largest number becomes 32760, and -1 leaves all as they are.
    Zeros stay zeros."""
    largest = float(np.abs(embedding).max())
    if norm == NO_NORM or largest == 0:
        return embedding
    # Divided by the largest first, so that no power is too large or too small for a number.
    scaled = embedding.astype(np.float64) / largest
    if norm == INFINITY_NORM:
        return (scaled * MAX_INT16).astype(np.float32)
    length = (np.abs(scaled) ** norm).sum() ** (1 / norm)
    result: Embedding = (scaled / length).astype(np.float32)
    return result
