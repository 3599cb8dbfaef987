"""llama.cpp behind typed methods: the only file that touches ctypes.

llama.cpp answers many a wrong argument with an assertion that ends the process, so every argument is checked here
before it crosses; what fails is raised as an exception.
"""

import ctypes
import logging
import os
import re
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt

from slots.deep_stack import run_on_deep_stack
from slots.errors import EngineError, ModelLoadError
from slots.options import ContextOptions, ModelOptions

Logits = npt.NDArray[np.float32]

MAX_SLOTS = 256
"""LLAMA_MAX_SEQ of llama.cpp: it refuses a context with more sequences."""

MAX_UNBROKEN = 1_000_000
"""Characters without white space, or of nothing else, in a text to tokenize."""
_SHALLOW_CHARACTERS = 8_192
"""Several of llama.cpp's tokenizers split text with a regular expression that recurses for each character of a match.
On a usual stack they die at some ten thousand characters without a break; a shorter text is safe there."""
_STRETCH = re.compile(r"\S+|\s+")

_log = logging.getLogger("llama.cpp")

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
_SPLIT_MODES = {"none": 0, "layer": 1, "row": 2, "tensor": 3}
_FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}
_ROPE_SCALING = {"none": 0, "linear": 1, "yarn": 2}
_LOAD_MODES = {(False, False): 0, (True, False): 1, (False, True): 2, (True, True): 3}
"""By (mmap, mlock)."""
_VOCAB_KINDS = {0: "none", 1: "spm", 2: "bpe", 3: "wpm", 4: "ugm", 5: "rwkv", 6: "plamo2"}


class DecodeError(EngineError):
    """llama_decode failed; what it did is undone by clearing the sequences of the batch."""


class UnbrokenTextError(ValueError):
    """A text with a stretch too long for llama.cpp's tokenizers to survive."""


_LOG_LEVEL_ERROR = 4
_recent_errors: deque[str] = deque(maxlen=4)


def _on_log(level: int, text: bytes, _user_data: ctypes.c_void_p) -> None:
    line = text.decode("utf-8", "replace").strip()
    if not line or line == ".":
        return
    if level == _LOG_LEVEL_ERROR:
        _recent_errors.append(line)
    _log.debug(line)


_log_callback = lib.llama_log_callback(_on_log)
"""Held here because llama.cpp keeps only a pointer to it."""
lib.llama_log_set(_log_callback, ctypes.c_void_p(0))
lib.llama_backend_init()


def supports_gpu() -> bool:
    """Whether this build of llama.cpp can hold layers on a GPU."""
    return bool(lib.llama_supports_gpu_offload())


class _Weights:
    """Owns a loaded model, which is freed when nothing refers to it any more, so never while somebody reads it."""

    def __init__(self, handle: lib.llama_model_p) -> None:
        self.handle = handle
        finalizer = weakref.finalize(self, lib.llama_model_free, handle)
        # At the end of the process other threads may still read it, and the memory goes with the process.
        finalizer.atexit = False


def _token_or_none(token: int) -> int | None:
    return token if token >= 0 else None


class Vocab:
    """The model's tokens. Its methods may be called from any thread."""

    def __init__(self, weights: _Weights) -> None:
        self._weights = weights
        self._handle = handle = lib.llama_model_get_vocab(weights.handle)
        self.n_tokens: int = lib.llama_vocab_n_tokens(handle)
        self.kind = _VOCAB_KINDS.get(lib.llama_vocab_type(handle), "unknown")
        self.add_bos = bool(lib.llama_vocab_get_add_bos(handle))
        self.bos = _token_or_none(lib.llama_vocab_bos(handle))
        self.eos = _token_or_none(lib.llama_vocab_eos(handle))
        self.eot = _token_or_none(lib.llama_vocab_eot(handle))
        self.newline = _token_or_none(lib.llama_vocab_nl(handle))
        self.fim_prefix = _token_or_none(lib.llama_vocab_fim_pre(handle))
        self.fim_suffix = _token_or_none(lib.llama_vocab_fim_suf(handle))
        self.fim_middle = _token_or_none(lib.llama_vocab_fim_mid(handle))
        self.end_of_generation = frozenset(t for t in range(self.n_tokens) if lib.llama_vocab_is_eog(handle, t))
        self._pieces: dict[int, bytes] = {}

    def is_control(self, token: int) -> bool:
        """Whether a token steers the model and has no text of its own. Raises ValueError for an unknown id."""
        self._check(token)
        return bool(lib.llama_vocab_is_control(self._handle, token))

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """The tokens of a text as a prompt: some vocabularies put a space in front of it.

        `add_special` adds BOS and EOS as the model's header says, `parse_special` reads special tokens that are
        spelled out in the text. Raises UnicodeEncodeError for a lone surrogate, and UnbrokenTextError.
        """
        if len(text) <= _SHALLOW_CHARACTERS:
            return self._tokenize(text, add_special, parse_special)
        longest = max(stretch.end() - stretch.start() for stretch in _STRETCH.finditer(text))
        if longest > MAX_UNBROKEN:
            raise UnbrokenTextError(
                f"expected white space, or its end, every {MAX_UNBROKEN} characters, got a stretch of {longest}"
            )
        return run_on_deep_stack(lambda: self._tokenize(text, add_special, parse_special))

    def _tokenize(self, text: str, add_special: bool, parse_special: bool) -> list[int]:
        data = text.encode()
        capacity = len(data) + 16
        while True:
            tokens = (lib.llama_token * capacity)()
            n = lib.llama_tokenize(self._handle, data, len(data), tokens, capacity, add_special, parse_special)
            if n >= 0:
                return tokens[:n]
            capacity = -n

    def tokenize_plain(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """As `tokenize`, but without a space in front, so that `detokenize` gives back the same text.

        A vocabulary of the SentencePiece kind puts a space before the first word. A newline in front takes it
        instead, and is cut off again.
        """
        tokens = self.tokenize(text, add_special=add_special, parse_special=parse_special)
        if self.kind != "spm" or not text:
            return tokens
        lead = self.tokenize("\n", add_special=add_special, parse_special=False)
        led = self.tokenize("\n" + text, add_special=add_special, parse_special=parse_special)
        if led[: len(lead)] != lead:
            return tokens
        start = [t for t in lead[:1] if add_special and self.add_bos]
        return start + led[len(lead) :]

    def piece(self, token: int) -> bytes:
        """The bytes of one token, which need not be whole characters. Raises ValueError for an unknown id."""
        known = self._pieces.get(token)
        if known is None:
            known = self._pieces[token] = self._read_piece(token)
        return known

    def detokenize(self, tokens: Sequence[int]) -> bytes:
        """The bytes of tokens in a row, special tokens spelled out. Raises ValueError for an unknown id."""
        return b"".join(map(self.piece, tokens))

    def _read_piece(self, token: int) -> bytes:
        self._check(token)
        capacity = 64
        while True:
            buffer = ctypes.create_string_buffer(capacity)
            n = lib.llama_token_to_piece(self._handle, token, buffer, capacity, 0, True)
            if n >= 0:
                return buffer.raw[:n]
            capacity = -n

    def _check(self, token: int) -> None:
        if not 0 <= token < self.n_tokens:
            raise ValueError(f"token {token} is not in the vocabulary, 0 to {self.n_tokens - 1}")


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What llama.cpp found in a loaded model."""

    description: str
    n_params: int
    size_bytes: int
    n_ctx_train: int
    n_embd: int
    n_layer: int
    n_vocab: int
    kv_bytes_per_token: int
    """Of a KV cache in 16 bits, where all layers have one."""


class Model:
    """The weights and the vocabulary of one GGUF file; freed when nothing refers to them any more."""

    def __init__(self, options: ModelOptions, on_progress: Callable[[float], None]) -> None:
        """Blocks until the weights are loaded; `on_progress` gets the share done, 0 to 1.

        Raises ModelLoadError.
        """
        params = lib.llama_model_default_params()
        params.n_gpu_layers = options.n_gpu_layers
        params.split_mode = _SPLIT_MODES[options.split_mode]
        params.main_gpu = options.main_gpu
        params.load_mode = _LOAD_MODES[options.mmap, options.mlock]

        def report(share: float, _user_data: ctypes.c_void_p) -> bool:
            on_progress(share)
            return True

        params.progress_callback = lib.llama_progress_callback(report)
        if options.tensor_split:
            params.tensor_split = _tensor_split(options.tensor_split)
        _recent_errors.clear()
        handle = lib.llama_model_load_from_file(os.fsencode(options.path), params)
        if not handle:
            raise ModelLoadError(f"llama.cpp cannot load {options.path}: {_last_error()}")
        self.weights = _Weights(handle)
        self.vocab = Vocab(self.weights)
        self.info = self._read_info()
        if lib.llama_model_has_encoder(handle) or not lib.llama_model_has_decoder(handle):
            raise ModelLoadError(f"{options.path} is not a decoder-only model; only those can be served")

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
        )


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
        self._token[start:end] = tokens
        self._pos[start:end] = np.arange(position, position + len(tokens))
        self._seq[start:end] = sequence
        self._output[start:end] = 0
        if last_logits:
            self._output[end - 1] = 1
            self.n_outputs += 1
        self.n_tokens = end

    def check(self, n_vocab: int, n_sequences: int) -> None:
        """Raises ValueError for what llama.cpp would not survive."""
        token, seq = self._token[: self.n_tokens], self._seq[: self.n_tokens]
        if self.n_tokens == 0:
            raise ValueError("an empty batch cannot be decoded")
        if token.min() < 0 or token.max() >= n_vocab:
            raise ValueError(f"a batch has a token outside of the vocabulary of {n_vocab}")
        if seq.min() < 0 or seq.max() >= n_sequences:
            raise ValueError(f"a batch has a sequence that is not one of the {n_sequences}")


class Context:
    """A KV cache and the computation on it. Belongs to one thread: the engine's."""

    def __init__(self, model: Model, options: ContextOptions) -> None:
        """Raises ModelLoadError when llama.cpp refuses the options or memory is short."""
        params = _context_params(options)
        _recent_errors.clear()
        handle = lib.llama_init_from_model(model.weights.handle, params)
        if not handle:
            raise ModelLoadError(f"llama.cpp cannot make a context: {_last_error()}")
        self._weights = model.weights
        self._handle = handle
        self._memory = lib.llama_get_memory(handle)
        self._n_vocab = model.vocab.n_tokens
        self.n_ctx: int = lib.llama_n_ctx(handle)
        self.n_ctx_seq: int = lib.llama_n_ctx_seq(handle)
        self.n_batch: int = lib.llama_n_batch(handle)
        self.n_ubatch: int = lib.llama_n_ubatch(handle)
        self.n_sequences: int = lib.llama_n_seq_max(handle)

    def close(self) -> None:
        """Free the KV cache; the context may not be used afterwards."""
        lib.llama_free(self._handle)

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
        _recent_errors.clear()
        code = lib.llama_decode(self._handle, batch.struct)
        if code == 1:
            raise DecodeError("the KV cache has no room for the batch")
        if code != 0:
            raise DecodeError(f"llama_decode returned {code}: {_last_error()}")
        if batch.n_outputs == 0:
            return np.empty((0, self._n_vocab), np.float32)
        pointer = lib.llama_get_logits(self._handle)
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


def _tensor_split(shares: Sequence[float]) -> ctypes.Array[ctypes.c_float]:
    n_devices = max(lib.llama_max_devices(), 1)
    if len(shares) > n_devices:
        raise ModelLoadError(f"the tensor split names {len(shares)} GPUs, this build knows at most {n_devices}")
    split: ctypes.Array[ctypes.c_float] = (ctypes.c_float * n_devices)(*shares)
    return split


def _last_error() -> str:
    return " / ".join(_recent_errors) or "it gave no reason"
