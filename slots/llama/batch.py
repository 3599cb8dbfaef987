"""The tokens of one decode."""

import ctypes
from collections.abc import Sequence

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt


class Batch:
    """Tokens for one `Context.decode`, filled through numpy views of the arrays that llama.cpp reads."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.n_tokens = 0
        self.n_outputs = 0
        self._token = np.zeros(capacity, np.int32)
        self._pos = np.zeros(capacity, np.int32)
        self._n_seq = np.ones(capacity, np.int32)
        self._seq = np.zeros(capacity, np.int32)
        self._output = np.zeros(capacity, np.int8)
        self._seq_pointers = self._seq.ctypes.data + 4 * np.arange(capacity, dtype=np.uintp)
        self.struct = lib.llama_batch(
            n_tokens=0,
            token=self._token.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            embd=None,
            pos=self._pos.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            n_seq_id=self._n_seq.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            seq_id=self._seq_pointers.ctypes.data_as(ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
            logits=self._output.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )

    def clear(self) -> None:
        """Make it empty again."""
        self.n_tokens = self.n_outputs = 0

    def add(self, sequence: int, position: int, tokens: Sequence[int], *, last_logits: bool) -> None:
        """Append tokens of one sequence at the positions from `position` on.

        With `last_logits` the last of them gets a row of logits. Raises ValueError when the batch is full.
        """
        start, end = self.n_tokens, self.n_tokens + len(tokens)
        if end > self.capacity:
            raise ValueError(f"a batch holds {self.capacity} tokens, {end} are too many")
        if len(tokens) == 1:  # as most are; one number is set several times faster than a slice
            self._fill(start, tokens[0], position, sequence)
        else:
            self._fill(slice(start, end), tokens, np.arange(position, position + len(tokens)), sequence)
        if last_logits:
            self._output[end - 1] = 1
            self.n_outputs += 1
        self.n_tokens = end

    def _fill(
        self, index: int | slice, tokens: int | Sequence[int], positions: int | npt.NDArray[np.int_], sequence: int
    ) -> None:
        self._token[index] = tokens
        self._pos[index] = positions
        self._seq[index] = sequence
        self._output[index] = 0

    def add_all_outputs(self, sequence: int, position: int, tokens: Sequence[int]) -> None:
        """As `add`, and each of the tokens gets a row of output. Raises ValueError when the batch is full."""
        self.add(sequence, position, tokens, last_logits=False)
        self._output[self.n_tokens - len(tokens) : self.n_tokens] = 1
        self.n_outputs += len(tokens)

    def output_sequences(self) -> npt.NDArray[np.int32]:
        """The sequence of each output, in order; shape (outputs,)."""
        is_output = self._output[: self.n_tokens] != 0
        sequences: npt.NDArray[np.int32] = self._seq[: self.n_tokens][is_output]
        return sequences

    def check(self, n_vocab: int, n_sequences: int) -> None:
        """Raises ValueError for what llama.cpp would not survive."""
        if self.n_tokens == 0:
            raise ValueError("an empty batch cannot be decoded")
        tokens, sequences = self._token[: self.n_tokens].tolist(), self._seq[: self.n_tokens].tolist()
        if min(tokens) < 0 or max(tokens) >= n_vocab:
            raise ValueError(f"a batch has a token outside of the vocabulary of {n_vocab}")
        if min(sequences) < 0 or max(sequences) >= n_sequences:
            raise ValueError(f"a batch has a sequence that is not one of the {n_sequences}")
