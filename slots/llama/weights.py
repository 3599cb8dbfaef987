"""Weights: the memory of a loaded model, and its metadata."""

import ctypes
import weakref

import llama_cpp.llama_cpp as lib

from slots.llama.buffers import BufferLog
from slots.llama.log import forget_buffers


class Weights:
    """Owns a loaded model, and frees it with the last reference."""

    def __init__(self, handle: lib.llama_model_p, buffers: BufferLog | None = None) -> None:
        """`buffers` are those that were recorded while it was loaded."""
        self.handle = handle
        finalizer = weakref.finalize(self, _free, handle, buffers)
        # At exit other threads may still read it; the process frees the memory anyway.
        finalizer.atexit = False


def _free(handle: lib.llama_model_p, buffers: BufferLog | None) -> None:
    lib.llama_model_free(handle)
    if buffers:
        forget_buffers(buffers)


def read_value(weights: Weights, name: str) -> str | None:
    """Returns the text of a metadata key of the model's architecture; None if absent."""
    return _read(weights, f"{read_architecture(weights)}.{name}")


def read_architecture(weights: Weights) -> str | None:
    return _read(weights, "general.architecture")


def _read(weights: Weights, key: str) -> str | None:
    buffer = ctypes.create_string_buffer(128)
    length = lib.llama_model_meta_val_str(weights.handle, key.encode(), buffer, len(buffer))
    return buffer.value.decode("utf-8", "replace") if length >= 0 else None
