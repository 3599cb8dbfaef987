"""Pooling: the embedding of a text from those of its tokens."""

import numpy as np
import numpy.typing as npt

from slots.options import Pooling

Embedding = npt.NDArray[np.float32]
"""Of shape (n_embd,); (tokens, n_embd) without pooling; (1,) for a score."""


class Pooler:
    """Accumulates the embeddings of one text's tokens."""

    def __init__(self, pooling: Pooling) -> None:
        """For rank pooling, which llama.cpp does itself, the only row is the score."""
        self._pooling = pooling
        self._n_tokens = 0
        self._rows: list[Embedding] = []
        self._sum: npt.NDArray[np.float64] | None = None

    def add(self, rows: Embedding) -> None:
        """Add the rows of the next tokens, of shape (tokens, n_embd), which are copied."""
        is_first = self._n_tokens == 0
        self._n_tokens += len(rows)
        if self._pooling == "mean":
            total = rows.sum(axis=0, dtype=np.float64)
            self._sum = total if self._sum is None else self._sum + total
        elif self._pooling == "last":
            self._rows = [rows[-1].copy()]
        elif self._pooling == "none":
            self._rows.append(rows.copy())
        elif is_first:
            self._rows = [rows[0].copy()]

    def result(self) -> Embedding:
        if self._sum is not None:
            return (self._sum / self._n_tokens).astype(np.float32)
        return np.concatenate(self._rows)
