"""Projector: llama.cpp's libmtmd, which makes embeddings of pictures and sounds.

Media are prepared (decoded, resized, cut into chunks) by any thread, several at a time, and encoded by one at a time,
also while another thread computes with the llama context.
"""

import ctypes
import os
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt

from models.errors import ModelFileError
from models.gguf.model_file import ModelFile, read_model_file
from slots.errors import EngineError, ModelLoadError
from slots.llama.loading.devices import device_list, find_devices
from slots.llama.log import forget_errors, last_error, log_callback
from slots.llama.model import Model
from slots.llama.position_table import read_position_table
from slots.llama.weights import Weights
from slots.options import MediaOptions

_NO_PROGRAMS = os.devnull.encode()
"""The folder of ffmpeg and ffprobe, to which libmtmd hands what it cannot decode: no program can be below it."""

_UNSUPPORTED = {
    "deepseek4v": "the embeddings of a picture depend on how long the text before it is",
    "hunyuanvl": "the embeddings of a picture depend on how many are before it",
}
"""Kinds of projectors whose pictures cannot be prepared one by one."""

_FLASH_ATTENTION_AUTO = -1


class MediaError(EngineError):
    """A file that cannot be decoded, or whose embeddings cannot be computed."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedText:
    """Tokens that the model expects beside media."""

    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PreparedChunk:
    """A part of a picture or sound that is ready to be encoded."""

    n_cells: int
    n_positions: int
    is_causal: bool
    rope_positions: npt.NDArray[np.int32] | None
    """With M-RoPE: the positions of its cells, int32 of shape (4, cells), if the first one is 0."""
    handle: int
    """Valid as long as `owner` is."""
    owner: "_Chunks"


PreparedPart = PreparedText | PreparedChunk


class Projector:
    """A loaded mmproj file for a model; freed with the last reference."""

    def __init__(self, model: Model, options: MediaOptions) -> None:
        """Raises ModelLoadError for a file that does not fit the model, or cannot be used."""
        assert options.path is not None
        self._position_table = read_position_table(_read_file(options), options)
        self._mtmd = mtmd = _load_library()
        self._weights: Weights = model.weights  # the context has a pointer to its vocabulary
        params = mtmd.mtmd_context_params_default()
        params.use_gpu = options.offload and options.device != "none"
        params.device = _find_device(options.device)
        params.print_timings = params.warmup = False
        params.n_threads = options.n_threads
        params.flash_attn_type = _FLASH_ATTENTION_AUTO
        params.image_min_tokens, params.image_max_tokens = options.image_min_tokens, options.image_max_tokens
        forget_errors()
        self._handle = mtmd.mtmd_init_from_file(os.fsencode(options.path), model.weights.handle, params)
        if not self._handle:
            raise ModelLoadError(f"llama.cpp cannot load {options.path} for this model: {last_error()}")
        finalizer = weakref.finalize(self, mtmd.mtmd_free, self._handle)
        finalizer.atexit = False  # other threads may still use it, and the process frees its memory anyway
        self.n_cpu_threads = 0 if params.use_gpu and find_devices() else options.n_threads
        """Threads that encode; 0 if a GPU does."""
        self.n_vocab = model.vocab.n_tokens
        self.n_embd: int = lib.llama_model_n_embd_inp(model.weights.handle)
        """Numbers of the embedding of a cell."""
        self.has_vision = bool(mtmd.mtmd_support_vision(self._handle))
        self.has_audio = bool(mtmd.mtmd_support_audio(self._handle))
        self.uses_mrope = bool(mtmd.mtmd_decode_use_mrope(self._handle))

    def has_positions(self, width: int, height: int) -> bool:
        """Whether a picture of this size, in pixels, can be encoded."""
        return self._position_table is None or self._position_table.fits(width, height)

    def prepare(self, data: bytes) -> list[PreparedPart]:
        """Decode the file of a picture or sound, which has been checked, and cut it into chunks. Any thread may call
        it. Raises MediaError."""
        mtmd = self._mtmd
        options = mtmd.mtmd_helper_init_opt_default()
        options.video_params.ffmpeg_bin_dir = _NO_PROGRAMS
        buffer = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)
        made = mtmd.mtmd_helper_bitmap_init_from_buf_wrapper(self._handle, buffer, len(data), False, options)
        if made.video_ctx:
            mtmd.mtmd_helper_video_free(made.video_ctx)
        if not made.bitmap:
            raise MediaError("the file is damaged, or has a form that cannot be decoded")
        try:
            if made.video_ctx:
                raise MediaError("the file is damaged")
            return self._cut(made.bitmap)
        finally:
            mtmd.mtmd_bitmap_free(made.bitmap)

    def encode(self, chunk: PreparedChunk) -> npt.NDArray[np.float32]:
        """Returns the embeddings of a chunk, float32 of shape (cells, n_embd). One thread at a time. Raises
        MediaError."""
        forget_errors()
        if self._mtmd.mtmd_encode_chunk(self._handle, chunk.handle) != 0:
            raise MediaError(f"llama.cpp cannot encode it: {last_error()}")
        output = self._mtmd.mtmd_get_output_embd(self._handle)
        return np.ctypeslib.as_array(output, shape=(chunk.n_cells, self.n_embd)).copy()

    def _cut(self, bitmap: int) -> list[PreparedPart]:
        mtmd, chunks = self._mtmd, _Chunks(self._mtmd)
        part = mtmd.mtmd_input_part(bitmap=bitmap)
        parts = (ctypes.POINTER(mtmd.mtmd_input_part) * 1)(ctypes.pointer(part))
        code = mtmd.mtmd_tokenize_from_parts(self._handle, chunks.handle, parts, 1, False)
        if code != 0:
            raise MediaError("it cannot be brought into the form that the model expects")
        return list(self._read_parts(chunks))

    def _read_parts(self, chunks: "_Chunks") -> Iterator[PreparedPart]:
        mtmd = self._mtmd
        for index in range(mtmd.mtmd_input_chunks_size(chunks.handle)):
            handle = mtmd.mtmd_input_chunks_get(chunks.handle, index)
            kind = mtmd.mtmd_input_chunk_get_type(handle)
            if kind == mtmd.MTMD_INPUT_CHUNK_TYPE_TEXT:
                yield PreparedText(self._read_tokens(handle))
                continue
            n_cells = mtmd.mtmd_input_chunk_get_n_tokens(handle)
            n_positions = mtmd.mtmd_input_chunk_get_n_pos(handle)
            if not 0 < n_positions <= n_cells:
                raise MediaError(f"llama.cpp makes {n_cells} cells at {n_positions} positions of it")
            is_causal = not mtmd.mtmd_decode_use_non_causal(self._handle, handle)
            positions = self._rope_positions(handle, kind, n_cells) if self.uses_mrope else None
            yield PreparedChunk(n_cells, n_positions, is_causal, positions, handle, chunks)

    def _read_tokens(self, handle: int) -> tuple[int, ...]:
        n = ctypes.c_size_t()
        tokens = self._mtmd.mtmd_input_chunk_get_tokens_text(handle, ctypes.byref(n))
        read = tuple(tokens[: n.value])
        if any(not 0 <= token < self.n_vocab for token in read):
            raise MediaError("the model's vocabulary lacks a token that the projector puts beside media")
        return read

    def _rope_positions(self, handle: int, kind: int, n_cells: int) -> npt.NDArray[np.int32]:
        """Returns positions in the order of llama.cpp's sections: time, row, column, nothing."""
        if kind != self._mtmd.MTMD_INPUT_CHUNK_TYPE_IMAGE:
            return np.tile(np.arange(n_cells, dtype=np.int32), (4, 1))
        image = self._mtmd.mtmd_input_chunk_get_tokens_image(handle)
        found = (self._mtmd.mtmd_decoder_pos * n_cells)()
        self._mtmd.mtmd_helper_image_get_decoder_pos(image, 0, found)
        return np.array([(each.t, each.y, each.x, each.z) for each in found], np.int32).T.copy()


class _Chunks:
    """The memory of the chunks of one file."""

    def __init__(self, mtmd: Any) -> None:  # noqa: ANN401 - a module that is imported when it is needed
        self.handle = mtmd.mtmd_input_chunks_init()
        weakref.finalize(self, mtmd.mtmd_input_chunks_free, self.handle).atexit = False


def _load_library() -> Any:  # noqa: ANN401 - a module
    """Returns the bindings of libmtmd, whose log goes where llama.cpp's does. Raises ModelLoadError."""
    try:
        import llama_cpp.mtmd_cpp as mtmd  # noqa: PLC0415 - an installation without it serves texts
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise ModelLoadError(f"--mmproj needs llama.cpp's libmtmd, which cannot be loaded: {error}") from None
    mtmd.mtmd_helper_log_set(log_callback, None)
    return mtmd


def _read_file(options: MediaOptions) -> ModelFile:
    """Returns the header. Raises ModelLoadError for a file that is no projector, or of a kind that cannot be used."""
    assert options.path is not None
    try:
        file = read_model_file(options.path)
    except ModelFileError as error:
        raise ModelLoadError(str(error)) from None
    if file.text("general.architecture") != "clip":
        raise ModelLoadError(f"{options.path} is no projector of pictures or sounds, but a model that -m takes")
    for key in ("clip.projector_type", "clip.vision.projector_type"):
        kind = file.text(key)
        if kind in _UNSUPPORTED:
            reason = _UNSUPPORTED[kind]
            raise ModelLoadError(f"{options.path} is a projector of the kind {kind}, not supported: {reason}")
    return file


def _find_device(name: str | None) -> int | None:
    """Returns ggml's device of this name; None lets llama.cpp choose. Raises ModelLoadError if there is none."""
    return None if name is None or name == "none" else device_list([name])[0]
