"""normalize: scales embeddings to the same length."""

import numpy as np

from slots.embedding.pooling import Embedding

NO_NORM = -1
INFINITY_NORM = 0
EUCLIDEAN = 2
MAX_INT16 = 32760
"""llama.cpp's maximum, a little below that of 16 bits."""


def normalize(embedding: Embedding, norm: int) -> Embedding:
    """Returns `embedding`, of shape (n_embd,), as float32 divided by a norm: 1 is the taxicab norm, 2 the Euclidean, p
    the p-norm; 0 scales the largest number to 32760, and -1 nothing. Zeros stay zeros."""
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
