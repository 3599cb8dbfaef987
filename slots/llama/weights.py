"""The memory of a loaded model."""

import weakref

import llama_cpp.llama_cpp as lib


class Weights:
    """Owns a loaded model, which is freed when nothing refers to it any more, so never while somebody reads it."""

    def __init__(self, handle: lib.llama_model_p) -> None:
        self.handle = handle
        finalizer = weakref.finalize(self, lib.llama_model_free, handle)
        # At the end of the process other threads may still read it, and the memory goes with the process.
        finalizer.atexit = False
