"""llama.cpp behind typed methods: the only package that touches ctypes.

llama.cpp answers many a wrong argument with an assertion that ends the process, so every argument is checked here
before it crosses; what fails is raised as an exception.
"""

import llama_cpp.llama_cpp as lib

from slots.llama.batch import Batch
from slots.llama.context import Context, DecodeError, Logits, Snapshot
from slots.llama.embedding_context import EmbeddingContext
from slots.llama.model import Model, ModelInfo
from slots.llama.top_k_sampler import TopTokens
from slots.llama.vocab import MAX_UNBROKEN, Vocab

__all__ = [
    "MAX_UNBROKEN",
    "Batch",
    "Context",
    "DecodeError",
    "EmbeddingContext",
    "Logits",
    "Model",
    "ModelInfo",
    "Snapshot",
    "TopTokens",
    "Vocab",
]

lib.llama_backend_init()
