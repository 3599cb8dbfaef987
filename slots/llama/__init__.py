"""llama.cpp with typed methods: the only package that uses ctypes.

llama.cpp answers many wrong arguments with an assertion that ends the process, so every argument is checked before the
call, and failures are raised as exceptions.
"""

import llama_cpp.llama_cpp as lib

from slots.llama.batch import Batch, DecodeError
from slots.llama.context import Context, Logits, Snapshot
from slots.llama.embedding_context import EmbeddingContext
from slots.llama.loading import Device, find_devices
from slots.llama.model import Model, ModelInfo
from slots.llama.top_k_sampler import TopTokens
from slots.llama.vocab import MAX_UNBROKEN, Vocab

__all__ = [
    "MAX_UNBROKEN",
    "Batch",
    "Context",
    "DecodeError",
    "Device",
    "EmbeddingContext",
    "Logits",
    "Model",
    "ModelInfo",
    "Snapshot",
    "TopTokens",
    "Vocab",
    "find_devices",
]

lib.llama_backend_init()
