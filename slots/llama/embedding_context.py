"""Embedding context: computes embeddings and scores."""

from typing import Any

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt

from slots.errors import ModelLoadError
from slots.llama.batch import Batch, DecodeError, check_decoded
from slots.llama.context_params import context_params
from slots.llama.embedding_limits import causal_limits, encoder_limits
from slots.llama.log import forget_buffers, forget_errors, last_error, record_buffers
from slots.llama.lora import Scales
from slots.llama.model import Model
from slots.llama.step_threads import StepThreads
from slots.options import ContextOptions
from slots.threads import MachineLoad

Rows = npt.NDArray[np.float32]

_POOLING_NONE, _POOLING_RANK = 0, 4


class EmbeddingContext:
    """Computes the embeddings of tokens, or the scores of texts. Belongs to one thread: the engine's."""

    def __init__(
        self, model: Model, options: ContextOptions, n_ctx: int, load: MachineLoad | None = None, *, ranks: bool
    ) -> None:
        """Texts have at most `n_ctx` tokens; `ranks` computes a score for each instead of embeddings; `load` is what
        the contexts of a process share about their threads. Raises ModelLoadError if llama.cpp refuses the options or
        memory is short."""
        self._model = model
        self._ranks = ranks
        is_recurrent = lib.llama_model_is_recurrent(model.weights.handle) or lib.llama_model_is_hybrid(
            model.weights.handle
        )
        n_ctx = model.max_sequence_length(n_ctx)
        self.limits = causal_limits(options, n_ctx, model.vocab.n_tokens, is_recurrent=is_recurrent)
        self._handle = self._make(options)
        if not self._can_chunk():
            self._free()
            # An encoder has no positions beyond its training context, and asking for one ends the process.
            self.limits = encoder_limits(options, min(n_ctx, model.info.n_ctx_train))
            self._handle = self._make(options)
        self._adapters = model.adapters.make_applier(self._handle)
        self._memory = lib.llama_get_memory(self._handle)
        self._compute = lib.llama_decode if model.has_decoder and self._memory else lib.llama_encode
        self.n_embd = model.n_embd_out
        self._step_threads = StepThreads(options, load)
        self.threads = self._step_threads.controller
        """How many threads the steps use."""
        self.batch = Batch(lib.llama_n_batch(self._handle))
        """Filled by the caller of `compute`."""

    def close(self) -> None:
        self._adapters.close()
        self._free()

    def _free(self) -> None:
        lib.llama_free(self._handle)
        forget_buffers(self._buffers)

    def use_adapters(self, scales: Scales) -> None:
        """Compute the next batches with these LoRA adapters of the model, and no others. Raises ValueError for one that
        is not loaded."""
        self._adapters.apply(scales)

    def compute(self) -> Rows:
        """Compute the batch, without the GIL. All tokens have to be outputs. The tokens of a sequence follow its
        computed ones; if `limits.can_chunk` is false they are the whole text.

        Returns float32 embeddings of shape (tokens, n_embd) in the order of the batch, or (0, n_embd) for scores, in
        llama.cpp's memory and valid until the next call. Raises ValueError for a malformed batch, DecodeError if
        llama.cpp fails.
        """
        batch = self.batch
        batch.check(self._model.vocab.n_tokens, self.limits.n_sequences)
        if batch.n_outputs != batch.n_tokens:
            raise ValueError(f"all {batch.n_tokens} tokens of a batch have to be outputs, {batch.n_outputs} are")
        batch.struct.n_tokens = batch.n_tokens
        forget_errors()
        self._step_threads.start_step(self._handle, batch.n_tokens)
        check_decoded(self._compute(self._handle, batch.struct))
        self._step_threads.end_step()
        if self._ranks:
            return np.empty((0, self.n_embd), np.float32)
        pointer = lib.llama_get_embeddings(self._handle)
        if not pointer:
            raise DecodeError("llama.cpp has no embeddings for the batch")
        return np.ctypeslib.as_array(pointer, shape=(batch.n_tokens, self.n_embd))

    def score(self, sequence: int) -> float:
        """Returns the score of a sequence whose last tokens were in the batch of the last `compute`. Raises DecodeError
        if there is none."""
        pointer = lib.llama_get_embeddings_seq(self._handle, sequence) if self._ranks else None
        if not pointer:
            raise DecodeError(f"llama.cpp has no score for sequence {sequence}")
        return float(pointer[0])

    def clear_sequence(self, sequence: int) -> None:
        if not 0 <= sequence < self.limits.n_sequences:
            raise ValueError(f"sequence {sequence} is not one of the {self.limits.n_sequences}")
        if self._memory:
            lib.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def _make(self, options: ContextOptions) -> Any:  # noqa: ANN401 - a pointer
        params = context_params(self.limits.context_options(options))
        params.embeddings = True
        params.pooling_type = _POOLING_RANK if self._ranks else _POOLING_NONE
        forget_errors()
        self._buffers = record_buffers()
        handle = lib.llama_init_from_model(self._model.weights.handle, params)
        if not handle:
            forget_buffers(self._buffers)
            raise ModelLoadError(f"llama.cpp cannot make a context for embeddings: {last_error()}")
        return handle

    def _can_chunk(self) -> bool:
        has_memory = self._model.has_decoder and lib.llama_get_memory(self._handle)
        return bool(has_memory and lib.llama_get_causal_attn(self._handle))
