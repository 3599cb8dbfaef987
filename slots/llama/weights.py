"""The memory of a loaded model."""

import ctypes
import weakref

import llama_cpp.llama_cpp as lib


class Weights:
    """Owns a loaded model, which is freed when nothing refers to it any more, so never while somebody reads it."""

    def __init__(self, handle: lib.llama_model_p) -> None:
        self.handle = handle
        finalizer = weakref.finalize(self, lib.llama_model_free, handle)
        # At the end of the process other threads may still read it, and the memory goes with the process.
        finalizer.atexit = False


def read_value(weights: Weights, name: str) -> str | None:
    """Returns what the header says, as text, under a name that belongs to the model's architecture; None if nothing."""
    return _read(weights, f"{read_architecture(weights)}.{name}")


def read_architecture(weights: Weights) -> str | None:
    """Returns the name of the model's architecture, as the header says it."""
    return _read(weights, "general.architecture")


def _read(weights: Weights, key: str) -> str | None:
    buffer = ctypes.create_string_buffer(128)
    length = lib.llama_model_meta_val_str(weights.handle, key.encode(), buffer, len(buffer))
    return buffer.value.decode("utf-8", "replace") if length >= 0 else None
