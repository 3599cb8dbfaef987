"""A KV cache and the computation on it."""

import os

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt

from slots.errors import EngineError, ModelLoadError
from slots.llama.batch import Batch
from slots.llama.log import forget_errors, last_error
from slots.llama.model import Model
from slots.options import ContextOptions

Logits = npt.NDArray[np.float32]

MAX_SLOTS = 256
"""LLAMA_MAX_SEQ of llama.cpp: it refuses a context with more sequences."""

_LEAST_CONTEXT = 256
"""llama.cpp rounds up to it, but only after it has cut the batch down to fewer tokens than there may be slots."""

_CACHE_TYPES = {
    "f32": lib.GGML_TYPE_F32,
    "f16": lib.GGML_TYPE_F16,
    "bf16": 30,  # GGML_TYPE_BF16, which the bindings leave out
    "q8_0": lib.GGML_TYPE_Q8_0,
    "q4_0": lib.GGML_TYPE_Q4_0,
    "q4_1": lib.GGML_TYPE_Q4_1,
    "iq4_nl": lib.GGML_TYPE_IQ4_NL,
    "q5_0": lib.GGML_TYPE_Q5_0,
    "q5_1": lib.GGML_TYPE_Q5_1,
}
_FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}
_ROPE_SCALING = {"none": 0, "linear": 1, "yarn": 2}


class DecodeError(EngineError):
    """llama_decode failed; what it did is undone by clearing the sequences of the batch."""


class Context:
    """A KV cache and the computation on it. Belongs to one thread: the engine's."""

    def __init__(self, model: Model, options: ContextOptions) -> None:
        """Raises ModelLoadError when llama.cpp refuses the options or memory is short."""
        params = _context_params(options)
        forget_errors()
        handle = lib.llama_init_from_model(model.weights.handle, params)
        if not handle:
            raise ModelLoadError(f"llama.cpp cannot make a context: {last_error()}")
        self._weights = model.weights  # which have to stay as long as this does
        self.handle = handle
        self._memory = lib.llama_get_memory(handle)
        self._n_vocab = model.vocab.n_tokens
        self.n_ctx: int = lib.llama_n_ctx(handle)
        self.n_ctx_seq: int = lib.llama_n_ctx_seq(handle)
        self.n_batch: int = lib.llama_n_batch(handle)
        self.n_ubatch: int = lib.llama_n_ubatch(handle)
        self.n_threads: int = params.n_threads
        self.n_sequences: int = lib.llama_n_seq_max(handle)

    def close(self) -> None:
        """Free the KV cache; the context may not be used afterwards."""
        lib.llama_free(self.handle)

    def decode(self, batch: Batch) -> Logits:
        """Compute a batch, without the GIL.

        Returns float32 logits of shape (outputs, vocabulary), in the order in which the outputs were added. They
        live in llama.cpp's memory until the next decode and may be written to. Raises ValueError for a malformed
        batch, DecodeError when llama.cpp fails, for want of KV cells for example.
        """
        if batch.n_tokens > self.n_batch:
            raise ValueError(f"a batch of {batch.n_tokens} tokens is larger than the context's, {self.n_batch}")
        batch.check(self._n_vocab, self.n_sequences)
        batch.struct.n_tokens = batch.n_tokens
        forget_errors()
        code = lib.llama_decode(self.handle, batch.struct)
        if code == 1:
            raise DecodeError("the KV cache has no room for the batch")
        if code != 0:
            raise DecodeError(f"llama_decode returned {code}: {last_error()}")
        if batch.n_outputs == 0:
            return np.empty((0, self._n_vocab), np.float32)
        pointer = lib.llama_get_logits(self.handle)
        return np.ctypeslib.as_array(pointer, shape=(batch.n_outputs, self._n_vocab))

    def keep_prefix(self, sequence: int, n_tokens: int) -> bool:
        """Cut a sequence down to its first `n_tokens` tokens.

        Returns False when the model's memory cannot go back to that point (recurrent, hybrid, sliding window);
        the sequence is then empty.
        """
        self._check_sequence(sequence)
        if lib.llama_memory_seq_pos_max(self._memory, sequence) < n_tokens:
            return True
        window_moved_on = n_tokens > 0 and lib.llama_memory_seq_pos_min(self._memory, sequence) > 0
        if not window_moved_on and lib.llama_memory_seq_rm(self._memory, sequence, n_tokens, -1):
            return True
        self.clear_sequence(sequence)
        return False

    def clear_sequence(self, sequence: int) -> None:
        """Free all cells of a sequence."""
        self._check_sequence(sequence)
        lib.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def _check_sequence(self, sequence: int) -> None:
        if not 0 <= sequence < self.n_sequences:
            raise ValueError(f"sequence {sequence} is not one of the {self.n_sequences}")


def _context_params(options: ContextOptions) -> lib.llama_context_params:
    if not 1 <= options.n_parallel <= MAX_SLOTS:
        raise ModelLoadError(f"the number of slots must be from 1 to {MAX_SLOTS}, not {options.n_parallel}")
    threads = options.n_threads or os.cpu_count() or 1
    params: lib.llama_context_params = lib.llama_context_default_params()
    params.n_ctx = max(options.n_ctx, _LEAST_CONTEXT)
    params.n_batch = max(options.n_batch, options.n_parallel)
    params.n_ubatch = options.n_ubatch
    params.n_seq_max = options.n_parallel
    params.kv_unified = options.kv_unified
    params.n_threads = threads
    params.n_threads_batch = options.n_threads_batch or threads
    params.flash_attn_type = _FLASH_ATTENTION[options.flash_attention]
    params.type_k = _CACHE_TYPES[options.cache_type_k]
    params.type_v = _CACHE_TYPES[options.cache_type_v]
    if options.rope_scaling is not None:
        params.rope_scaling_type = _ROPE_SCALING[options.rope_scaling]
    for name in (
        "rope_freq_base",
        "rope_freq_scale",
        "yarn_orig_ctx",
        "yarn_ext_factor",
        "yarn_attn_factor",
        "yarn_beta_slow",
        "yarn_beta_fast",
    ):
        value = getattr(options, name)
        if value is not None:
            setattr(params, name, value)
    params.no_perf = True
    return params
