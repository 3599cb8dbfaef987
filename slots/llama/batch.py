"""Batch: the tokens of one decode."""

import ctypes
from collections.abc import Sequence

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt

from slots.errors import EngineError
from slots.llama.log import last_error


class DecodeError(EngineError):
    """A decode failed; clearing the sequences of the batch undoes what it did."""


def check_decoded(code: int) -> None:
    """Raises DecodeError if llama.cpp returned an error code for a batch."""
    if code == 1:
        raise DecodeError("the KV cache has no room for the batch")
    if code != 0:
        raise DecodeError(f"llama.cpp returned {code}: {last_error()}")


class Batch:
    """Tokens for one `Context.decode`, filled through numpy views of the arrays that llama.cpp reads."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.n_tokens = 0
        self.n_outputs = 0
        self._max_sequence = self._min_sequence = 0
        self._token = np.zeros(capacity, np.int32)
        self._pos = np.zeros(capacity, np.int32)
        # Of few numbers these are set several times faster than elements of numpy's arrays.
        self._token_view = self._token.data
        self._pos_view = self._pos.data
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
        self.n_tokens = self.n_outputs = 0
        self._max_sequence = self._min_sequence = 0

    def advance(self, tokens: Sequence[int], n_forward: Sequence[int]) -> None:
        """Replace all tokens, and move each by `n_forward` positions in its sequence. The outputs stay the same."""
        for index, (token, n) in enumerate(zip(tokens, n_forward, strict=True)):
            self._token_view[index] = token
            self._pos_view[index] += n

    def add(self, sequence: int, position: int, tokens: Sequence[int], *, last_logits: bool) -> None:
        """Append tokens of one sequence from `position` on; with `last_logits` the last one gets a row of logits.
        Raises ValueError if the batch is full."""
        start, end = self.n_tokens, self.n_tokens + len(tokens)
        if end > self.capacity:
            raise ValueError(f"a batch holds {self.capacity} tokens, {end} are too many")
        self._max_sequence = max(self._max_sequence, sequence)
        self._min_sequence = min(self._min_sequence, sequence)
        if len(tokens) == 1:  # the usual case: setting one number is several times faster
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
        """Append tokens as `add` does; each gets a row of output. Raises ValueError if the batch is full."""
        self.add(sequence, position, tokens, last_logits=False)
        self._output[self.n_tokens - len(tokens) : self.n_tokens] = 1
        self.n_outputs += len(tokens)

    def output_sequences(self) -> npt.NDArray[np.int32]:
        """Returns the sequence of each output, of shape (outputs,)."""
        is_output = self._output[: self.n_tokens] != 0
        sequences: npt.NDArray[np.int32] = self._seq[: self.n_tokens][is_output]
        return sequences

    def check(self, n_vocab: int, n_sequences: int) -> None:
        """Raises ValueError for what would end the process in llama.cpp."""
        if self.n_tokens == 0:
            raise ValueError("an empty batch cannot be decoded")
        tokens = self._token_view[: self.n_tokens].tolist()
        if min(tokens) < 0 or max(tokens) >= n_vocab:
            raise ValueError(f"a batch has a token outside of the vocabulary of {n_vocab}")
        if self._min_sequence < 0 or self._max_sequence >= n_sequences:
            raise ValueError(f"a batch has a sequence that is not one of the {n_sequences}")
