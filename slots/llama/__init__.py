"""llama.cpp with typed methods: the only package that uses ctypes.

llama.cpp answers many wrong arguments with an assertion that ends the process, so every argument is checked before the
call, and failures are raised as exceptions.
"""

import slots.llama.bindings  # noqa: F401 - before the first import of llama_cpp

# isort: split
import llama_cpp.llama_cpp as lib

from slots.llama.batch import Batch, DecodeError
from slots.llama.buffers import Buffers
from slots.llama.cleared_buffers import PAGE_CLEARING  # noqa: F401 - before the first buffer is made
from slots.llama.context import Context, Logits, Snapshot
from slots.llama.embedding_context import EmbeddingContext
from slots.llama.host_memory import allocated_bytes, private_bytes, release_free_memory, resident_bytes
from slots.llama.loading import Device, find_devices
from slots.llama.log import live_buffers
from slots.llama.lora import LoraAdapters
from slots.llama.media_batch import MediaBatch, MediaRows
from slots.llama.model import Model, ModelInfo
from slots.llama.top_k_sampler import TopTokens
from slots.llama.vocab import MAX_UNBROKEN, Vocab
from slots.llama.vocab_file import load_vocab

__all__ = [
    "MAX_UNBROKEN",
    "Batch",
    "Buffers",
    "Context",
    "DecodeError",
    "Device",
    "EmbeddingContext",
    "Logits",
    "LoraAdapters",
    "MediaBatch",
    "MediaRows",
    "Model",
    "ModelInfo",
    "Snapshot",
    "TopTokens",
    "Vocab",
    "allocated_bytes",
    "find_devices",
    "live_buffers",
    "load_vocab",
    "private_bytes",
    "release_free_memory",
    "resident_bytes",
]

lib.llama_backend_init()
