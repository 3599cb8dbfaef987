"""From the embeddings of a text's tokens to its own."""

import numpy as np
import numpy.typing as npt

from slots.options import Pooling

Embedding = npt.NDArray[np.float32]
"""Of shape (n_embd,); without pooling (tokens, n_embd), and (1,) for a score."""


class Pooler:
    """Takes the embeddings of one text's tokens in order, as they are computed."""

    def __init__(self, pooling: Pooling) -> None:
        """To rank, it takes a row with a score instead: llama.cpp does the rest itself."""
        self._pooling = pooling
        self._n_tokens = 0
        self._rows: list[Embedding] = []
        self._sum: npt.NDArray[np.float64] | None = None

    def add(self, rows: Embedding) -> None:
        """Take the embeddings, of shape (tokens, n_embd), of the next tokens; nothing refers to them afterwards."""
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
        """The embedding of the whole text."""
        if self._sum is not None:
            return (self._sum / self._n_tokens).astype(np.float32)
        return np.concatenate(self._rows)
