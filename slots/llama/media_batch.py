"""MediaBatch: the embeddings of one decode."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt

_MAX_SECTIONS = 4
"""Positions of a cell with M-RoPE."""


@dataclass(frozen=True, slots=True, eq=False)
class MediaRows:
    """Embeddings for one sequence."""

    sequence: int
    embeddings: npt.NDArray[np.float32]
    """Of shape (cells, numbers of an embedding)."""
    positions: npt.NDArray[np.int32]
    """Of shape (cells,), with M-RoPE (4, cells)."""
    last_logits: bool
    """Whether the last one gets a row of logits."""


class MediaBatch:
    """Embeddings for one `Context.decode`: a batch of llama.cpp has either tokens or these."""

    def __init__(self, rows: Sequence[MediaRows]) -> None:
        self._embeddings = np.ascontiguousarray(np.concatenate([each.embeddings for each in rows]), np.float32)
        self._positions = np.concatenate([each.positions for each in rows], axis=-1).astype(np.int32)
        counts = [len(each.embeddings) for each in rows]
        self.n_tokens = sum(counts)
        self._n_seq = np.ones(self.n_tokens, np.int32)
        self._seq = np.repeat(np.array([each.sequence for each in rows], np.int32), counts)
        self._output = np.zeros(self.n_tokens, np.int8)
        self._output[np.cumsum(counts) - 1] = [each.last_logits for each in rows]
        self.n_outputs = int(self._output.sum())
        self._seq_pointers = self._seq.ctypes.data + 4 * np.arange(self.n_tokens, dtype=np.uintp)
        self.struct = lib.llama_batch(
            n_tokens=self.n_tokens,
            token=None,
            embd=self._embeddings.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
            pos=self._positions.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            n_seq_id=self._n_seq.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            seq_id=self._seq_pointers.ctypes.data_as(ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
            logits=self._output.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )

    def output_sequences(self) -> npt.NDArray[np.int32]:
        """Returns the sequence of each output, of shape (outputs,)."""
        sequences: npt.NDArray[np.int32] = self._seq[self._output != 0]
        return sequences

    def check(self, n_embd: int, n_sequences: int, *, uses_mrope: bool) -> None:
        """Raises ValueError for what would end the process in llama.cpp, or let it read beyond the arrays."""
        if self._embeddings.shape != (self.n_tokens, n_embd):
            raise ValueError(f"embeddings have the shape {self._embeddings.shape}, the model takes {n_embd} numbers")
        expected = (_MAX_SECTIONS, self.n_tokens) if uses_mrope else (self.n_tokens,)
        if self._positions.shape != expected or self._positions.min() < 0:
            raise ValueError(f"positions have the shape {self._positions.shape} or are negative")
        if self._seq.min() < 0 or self._seq.max() >= n_sequences:
            raise ValueError(f"a batch has a sequence that is not one of the {n_sequences}")
