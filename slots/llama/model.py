"""Model: loads a GGUF file and describes it."""

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass

import llama_cpp.llama_cpp as lib

from slots.errors import ModelLoadError
from slots.llama.loading import LoadArguments, set_numa_strategy, uses_gpu
from slots.llama.log import forget_buffers, forget_errors, last_error, record_buffers
from slots.llama.lora import LoraAdapters
from slots.llama.vocab import Vocab
from slots.llama.weights import Weights, read_architecture, read_value
from slots.options import ModelOptions, Pooling

_POOLINGS: dict[str, Pooling] = {"0": "none", "1": "mean", "2": "cls", "3": "last", "4": "rank"}
"""By the number in a header."""
_LEARNED_POSITION_ARCHITECTURES = frozenset({"bert", "gpt2", "mpt", "starcoder"})
"""Architectures with learned absolute positions, or with variants that have them."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    description: str
    n_params: int
    size_bytes: int
    n_ctx_train: int
    n_embd: int
    n_layer: int
    n_vocab: int
    kv_bytes_per_token: int
    """Of a 16-bit KV cache, if all layers have one."""
    architecture: str
    file_type: str
    """How most of the weights are stored, in llama.cpp's words, such as "Q4_K - Medium"."""


class Model:
    """The weights and the vocabulary of one GGUF file; freed with the last reference."""

    def __init__(self, options: ModelOptions, on_progress: Callable[[float], None]) -> None:
        """Blocks until the weights are loaded; `on_progress` gets the fraction, 0 to 1. Raises ModelLoadError."""
        set_numa_strategy(options)
        arguments = LoadArguments(options, on_progress)
        forget_errors()
        buffers = record_buffers()
        handle = lib.llama_model_load_from_file(os.fsencode(options.path), arguments.params)
        if not handle:
            forget_buffers(buffers)
            raise ModelLoadError(f"llama.cpp cannot load {options.path}: {last_error()}")
        self.path = options.path
        """The only or first file."""
        self.weights = Weights(handle, buffers)
        self.vocab = Vocab(self.weights)
        self.adapters = LoraAdapters(self.weights)
        self.info = self._read_info()
        self.device = "gpu" if uses_gpu(options) else "cpu"
        """Where at least a part of it is computed."""
        self.n_embd_out: int = lib.llama_model_n_embd_out(handle)
        self.has_decoder = bool(lib.llama_model_has_decoder(handle))
        """Whether it can compute a text in chunks; an encoder takes all of it at once."""
        self.has_learned_positions = read_architecture(self.weights) in _LEARNED_POSITION_ARCHITECTURES
        """Whether positions are learned vectors that are added to the tokens, and not rotations of the keys."""
        self.pooling = self._read_pooling()
        if self.has_decoder and lib.llama_model_has_encoder(handle):
            raise ModelLoadError(f"{options.path} has both an encoder and a decoder; such a model cannot be served")

    def max_sequence_length(self, n_ctx: int) -> int:
        """Returns the maximum tokens of a sequence that has `n_ctx` cells. Learned positions end at the training
        context: llama.cpp reads later ones past the end of their table, which ends the process."""
        return min(n_ctx, self.info.n_ctx_train) if self.has_learned_positions else n_ctx

    def _read_pooling(self) -> Pooling | None:
        return _POOLINGS.get(read_value(self.weights, "pooling_type") or "")

    def _read_info(self) -> ModelInfo:
        handle = self.weights.handle
        buffer = ctypes.create_string_buffer(256)
        lib.llama_model_desc(handle, buffer, len(buffer))
        n_embd, n_layer = lib.llama_model_n_embd(handle), lib.llama_model_n_layer(handle)
        head_size = n_embd // max(lib.llama_model_n_head(handle), 1)
        return ModelInfo(
            description=buffer.value.decode("utf-8", "replace"),
            n_params=lib.llama_model_n_params(handle),
            size_bytes=lib.llama_model_size(handle),
            n_ctx_train=lib.llama_model_n_ctx_train(handle),
            n_embd=n_embd,
            n_layer=n_layer,
            n_vocab=self.vocab.n_tokens,
            kv_bytes_per_token=2 * 2 * n_layer * head_size * lib.llama_model_n_head_kv(handle),
            architecture=read_architecture(self.weights) or "",
            file_type=lib.llama_ftype_name(lib.llama_model_ftype(handle)).decode(),
        )
