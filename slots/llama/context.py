"""Context: a KV cache and the computation on it."""

import ctypes
from typing import Any

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt

from slots.errors import CannotGenerate, ModelLoadError, SnapshotError
from slots.llama.batch import Batch, check_decoded
from slots.llama.context_params import context_params, one_ubatch_at_a_time
from slots.llama.log import forget_buffers, forget_errors, last_error, record_buffers
from slots.llama.lora import SWITCH_SECONDS_PER_LAYER, Scales
from slots.llama.media_batch import MediaBatch
from slots.llama.memory_capabilities import can_roll_back, can_shift_keys, can_truncate, uses_mrope, window_size
from slots.llama.model import Model
from slots.llama.step_threads import StepThreads
from slots.llama.top_k_sampler import TOP_K, BackendTopK, TopTokens, init_with_top_k
from slots.options import ContextOptions
from slots.threads import MachineLoad

Logits = npt.NDArray[np.float32]
Snapshot = npt.NDArray[np.uint8]
"""The KV cache of a sequence in llama.cpp's own format; bytes of shape (n,)."""


class Context:
    """A KV cache and the computation on it. Belongs to one thread: the engine's."""

    def __init__(self, model: Model, options: ContextOptions, load: MachineLoad | None = None) -> None:
        """`load` is what the contexts of a process share about their threads. Raises ModelLoadError if llama.cpp
        refuses the options or memory is short, CannotGenerate for an encoder."""
        if not model.has_decoder:
            raise CannotGenerate("the model is an encoder, which generates no text")
        self._window = window_size(model)
        shares_window = options.kv_unified and self._window > 0 and not options.swa_full
        params = context_params(one_ubatch_at_a_time(options) if shares_window else options)
        forget_errors()
        self._buffers = record_buffers()
        handle, self._top_k = _init(model, params, has_top_k=options.backend_sampling)
        if not handle:
            forget_buffers(self._buffers)
            raise ModelLoadError(f"llama.cpp cannot make a context: {last_error()}")
        self._weights = model.weights  # kept alive as long as this is
        self.handle = handle
        self._adapters = model.adapters.make_applier(handle)
        self._memory = lib.llama_get_memory(handle)
        if not self._memory or not lib.llama_get_causal_attn(handle):
            self.close()
            if lib.llama_model_is_diffusion(model.weights.handle):
                raise ModelLoadError(
                    "the model is a diffusion model, which has no memory of a text; it cannot be served"
                )
            raise CannotGenerate("the model reads a text as a whole and generates none")
        self._n_vocab = model.vocab.n_tokens
        self.n_ctx: int = lib.llama_n_ctx(handle)
        self.n_ctx_seq = model.max_sequence_length(lib.llama_n_ctx_seq(handle))
        self.n_batch: int = lib.llama_n_batch(handle)
        self.max_outputs: int = params.n_outputs_max or self.n_batch
        """Rows of logits of a batch."""
        self.n_ubatch: int = lib.llama_n_ubatch(handle)
        self._step_threads = StepThreads(options, load)
        self.threads = self._step_threads.controller
        """How many threads the steps use."""
        self.n_sequences: int = lib.llama_n_seq_max(handle)
        self.is_unified = options.kv_unified
        """Whether all sequences share one pool of cells; otherwise each has its own stream."""
        self.can_truncate = can_truncate(model)
        """Whether a sequence can be truncated to any position, also after it was shared or restored."""
        self.can_roll_back = can_roll_back(model)
        """Whether the last tokens of a sequence can be removed, if they are fewer than an ubatch."""
        self.can_share = self.is_unified and not shares_window
        """Whether sequences can hold the same cells. llama.cpp reuses the few cells of a sliding window only while they
        belong to one sequence, so that shared ones would soon fill it."""
        self.can_shift: bool = (
            self.can_truncate and lib.llama_memory_can_shift(self._memory) and can_shift_keys(model, options)
        )
        """Whether tokens can be removed from the middle of a sequence."""
        self._pending_shift: set[int] = set()
        self._rows: Logits = np.empty((0, self._n_vocab), np.float32)
        self._rows_address = 0
        self.top_tokens: TopTokens | None = None
        """The largest logits of the last decode's outputs of sequences with a top-k; None if there are no such."""

    def close(self) -> None:
        self._adapters.close()
        lib.llama_free(self.handle)
        forget_buffers(self._buffers)
        if self._top_k:
            self._top_k.free()

    @property
    def switch_seconds(self) -> float:
        """By how much the next decode is slower after a change of adapters, about."""
        return SWITCH_SECONDS_PER_LAYER * int(lib.llama_model_n_layer(self._weights.handle))

    def use_adapters(self, scales: Scales) -> None:
        """Compute the next batches with these LoRA adapters of the model, and no others. Raises ValueError for one that
        is not loaded. A change makes the next decode some milliseconds slower."""
        self._adapters.apply(scales)

    @property
    def uses_mrope(self) -> bool:
        """Whether media may have fewer positions than cells: numbers of tokens, below, are then positions."""
        return uses_mrope(self._weights)

    def decode_media(self, batch: MediaBatch, *, is_causal: bool) -> Logits:
        """Compute embeddings, as `decode` does tokens. If they are not causal, each attends to all of its sequence in
        the batch, which may then have an ubatch at most."""
        batch.check(lib.llama_model_n_embd_inp(self._weights.handle), self.n_sequences, uses_mrope=self.uses_mrope)
        if is_causal:
            return self._decode(batch)
        if batch.n_tokens > self.n_ubatch:
            raise ValueError(f"{batch.n_tokens} cells that attend to each other are more than an ubatch")
        lib.llama_set_causal_attn(self.handle, False)
        try:
            return self._decode(batch)
        finally:
            lib.llama_set_causal_attn(self.handle, True)

    def decode(self, batch: Batch) -> Logits:
        """Compute a batch of tokens, without the GIL.

        Returns float32 logits of shape (outputs, vocabulary) in the order of the batch, in llama.cpp's memory; they may
        be modified, and are valid until the next decode. The rows of sequences with a top-k are undefined: see
        `top_tokens`. Raises ValueError for a malformed batch, DecodeError if llama.cpp fails, for example for lack of
        KV cells.
        """
        batch.check(self._n_vocab, self.n_sequences)
        return self._decode(batch)

    def _decode(self, batch: Batch | MediaBatch) -> Logits:
        if batch.n_tokens > self.n_batch:
            raise ValueError(f"a batch of {batch.n_tokens} tokens is larger than the context's, {self.n_batch}")
        if batch.n_outputs > self.max_outputs:
            raise ValueError(f"a batch asks for {batch.n_outputs} rows of logits, the context has {self.max_outputs}")
        top_outputs = self._top_k.output_indices(batch.output_sequences()) if self._top_k else None
        self.top_tokens = None
        batch.struct.n_tokens = batch.n_tokens
        forget_errors()
        self._step_threads.start_step(self.handle, batch.n_tokens)
        check_decoded(lib.llama_decode(self.handle, batch.struct))
        self._pending_shift.clear()
        # Rows are there when a GPU, too, has computed the batch.
        rows = self._output_rows()[: batch.n_outputs] if batch.n_outputs else self._rows[:0]
        self._step_threads.end_step()
        if batch.n_outputs == 0:
            return rows
        if self._top_k and top_outputs is not None and top_outputs.size:
            self.top_tokens = self._top_k.read(self.handle, top_outputs, batch.n_outputs, self._n_vocab)
        return rows

    def _output_rows(self) -> Logits:
        """Returns all rows in llama.cpp's memory, of which the last decode filled the first ones."""
        pointer = lib.llama_get_logits(self.handle)
        address = ctypes.addressof(pointer.contents)
        if address != self._rows_address:  # it seldom changes, and making an array is slow
            self._rows = np.ctypeslib.as_array(pointer, shape=(self.max_outputs, self._n_vocab))
            self._rows_address = address
        return self._rows

    @property
    def n_top_tokens(self) -> int:
        """Number of logits of an output of a sequence with a top-k; 0 if none can have one."""
        return TOP_K if self._top_k else 0

    def set_top_k(self, sequence: int, *, wanted: bool) -> None:
        """Attach a top-k to a sequence, or detach it; initially all have one, if any can. A change makes the next
        decode some milliseconds slower."""
        self._check_sequence(sequence)
        if self._top_k is None or self._top_k.is_attached(sequence) == wanted:
            return
        if wanted:
            self._top_k.attach(self.handle, sequence)
        else:
            self._top_k.detach(self.handle, sequence)

    @property
    def n_graphs_reused(self) -> int:
        """How many passes had the graph of the one before, which saves building it again."""
        return int(lib.llama_perf_context(self.handle).n_reused)

    def keep_prefix(self, sequence: int, n_tokens: int) -> bool:
        """Truncate a sequence to its first `n_tokens` tokens. Returns False if the model's memory cannot go back to
        that position (recurrent, hybrid, a sliding window that has moved on), and clears the sequence."""
        self._check_sequence(sequence)
        if self.can_truncate and lib.llama_memory_seq_rm(self._memory, sequence, n_tokens, -1):
            return True
        if lib.llama_memory_seq_pos_max(self._memory, sequence) < n_tokens:
            return True
        first_seen = max(n_tokens - self._window, 0) if self._window else 0
        window_moved_on = n_tokens > 0 and lib.llama_memory_seq_pos_min(self._memory, sequence) > first_seen
        if not window_moved_on and lib.llama_memory_seq_rm(self._memory, sequence, n_tokens, -1):
            return True
        self.clear_sequence(sequence)
        return False

    def clear_sequence(self, sequence: int) -> None:
        self._check_sequence(sequence)
        lib.llama_memory_seq_rm(self._memory, sequence, -1, -1)
        self._pending_shift.discard(sequence)

    def share_prefix(self, source: int, target: int, n_tokens: int) -> None:
        """Let `target` hold the cells of the first `n_tokens` tokens of `source` in place of its own, without a copy.

        Raises ValueError if sequences cannot be shared, or `source` does not have that many tokens, or has more and the
        memory cannot be truncated.
        """
        length = self._length(source)
        self._check_sequence(target)
        if not self.can_share:
            raise ValueError("sequences of this context cannot share cells")
        if source == target:
            raise ValueError(f"sequence {source} cannot share cells with itself")
        if not n_tokens >= 1 or (n_tokens > length and not self.uses_mrope):  # there, media may end behind their cells
            raise ValueError(f"sequence {source} has {length} tokens, of which {n_tokens} cannot be shared")
        if not self.can_truncate and n_tokens < length:
            raise ValueError(f"sequence {source} can be shared only as a whole")
        self.clear_sequence(target)
        lib.llama_memory_seq_cp(self._memory, source, target, -1, n_tokens if n_tokens < length else -1)
        if source in self._pending_shift:
            self._pending_shift.add(target)

    def remove_range(self, sequence: int, start: int, end: int) -> None:
        """Remove the tokens [start, end) of a sequence; later ones move to the positions from `start` on.

        The next `decode` rotates the keys to their new positions, in time proportional to the cells of the context. A
        cell moves for all sequences that share it, so nothing from `start` on may be shared. Raises ValueError if there
        is no such range, or tokens cannot be moved.
        """
        length = self._length(sequence)
        if not self.can_shift:
            raise ValueError("tokens cannot be moved within the sequences of this context")
        if not 0 <= start < end <= length:
            raise ValueError(f"sequence {sequence} has {length} tokens, and no range [{start}, {end})")
        lib.llama_memory_seq_rm(self._memory, sequence, start, end)
        if end < length:
            lib.llama_memory_seq_add(self._memory, sequence, end, -1, start - end)
            self._pending_shift.add(sequence)

    def snapshot_bytes(self, sequence: int) -> int:
        self._check_sequence(sequence)
        return int(lib.llama_state_seq_get_size(self.handle, sequence))

    def snapshot(self, sequence: int) -> Snapshot:
        """Returns a copy of the KV cache of a sequence. Raises SnapshotError between `remove_range` and the next
        `decode`, as its keys are not rotated yet, and if llama.cpp or an allocation fails."""
        n_bytes = self.snapshot_bytes(sequence)
        if sequence in self._pending_shift:
            raise SnapshotError(f"the keys of sequence {sequence} are not where they belong before the next step")
        try:
            snapshot = np.empty(n_bytes, np.uint8)
        except MemoryError:
            raise SnapshotError(f"there is no memory for a snapshot of {n_bytes} bytes") from None
        forget_errors()
        n_written = lib.llama_state_seq_get_data(self.handle, _pointer(snapshot), n_bytes, sequence)
        if n_written != n_bytes or n_bytes == 0:
            raise SnapshotError(f"llama.cpp cannot save sequence {sequence}: {last_error()}")
        return snapshot

    def restore(self, sequence: int, snapshot: Snapshot) -> None:
        """Replace the KV cache of a sequence with that of a snapshot.

        Raises SnapshotError, and clears the sequence, if the KV cache has no room or llama.cpp rejects the snapshot: it
        is truncated, or its layers, types of keys and values, flash attention or (unless the cache is unified) number
        of sequences differ. What llama.cpp does not reject it trusts, and wrong counts and positions can abort the
        process: the caller must guarantee that the bytes are those that `snapshot` returned, in a context of the same
        model and options.
        """
        if snapshot.dtype != np.uint8 or not snapshot.flags.c_contiguous:
            raise ValueError("a snapshot is a contiguous array of bytes")
        self.clear_sequence(sequence)  # a snapshot of an empty sequence would leave it as it is
        n_bytes = snapshot.nbytes
        forget_errors()
        n_read = lib.llama_state_seq_set_data(self.handle, _pointer(snapshot), n_bytes, sequence)
        if n_read != n_bytes or n_bytes == 0:
            reason = last_error()
            self.clear_sequence(sequence)
            raise SnapshotError(f"llama.cpp cannot restore a sequence from {n_bytes} bytes: {reason}")

    def _length(self, sequence: int) -> int:
        self._check_sequence(sequence)
        return int(lib.llama_memory_seq_pos_max(self._memory, sequence)) + 1

    def _check_sequence(self, sequence: int) -> None:
        if not 0 <= sequence < self.n_sequences:
            raise ValueError(f"sequence {sequence} is not one of the {self.n_sequences}")


def _init(model: Model, params: Any, *, has_top_k: bool) -> tuple[Any, BackendTopK | None]:  # noqa: ANN401 - a struct
    if has_top_k and model.vocab.n_tokens > TOP_K:
        return init_with_top_k(model, params)
    return lib.llama_init_from_model(model.weights.handle, params), None


def _pointer(snapshot: Snapshot) -> "ctypes._Pointer[ctypes.c_uint8]":
    return snapshot.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
