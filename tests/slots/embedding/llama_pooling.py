"""Embeddings as llama.cpp itself pools them, to compare with."""

from collections.abc import Sequence

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt

from slots.llama import Batch, Model

POOLINGS = {"mean": 1, "cls": 2, "last": 3, "rank": 4}
N_TOKENS = 512


def llama_embedding(model: Model, pooling: str, tokens: Sequence[int]) -> npt.NDArray[np.float32]:
    """Returns the embedding of one text, of at most `N_TOKENS` tokens, from a context that has nothing else to do; for
    rank the score."""
    params = lib.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = N_TOKENS
    params.n_threads = params.n_threads_batch = 1
    params.flash_attn_type = 0
    params.embeddings = True
    params.pooling_type = POOLINGS[pooling]
    handle = lib.llama_init_from_model(model.weights.handle, params)
    batch = Batch(N_TOKENS)
    batch.add_all_outputs(0, 0, tokens)
    batch.struct.n_tokens = batch.n_tokens
    assert lib.llama_decode(handle, batch.struct) == 0
    n_embd = 1 if pooling == "rank" else lib.llama_model_n_embd_out(model.weights.handle)
    embedding: npt.NDArray[np.float32] = np.ctypeslib.as_array(
        lib.llama_get_embeddings_seq(handle, 0), (n_embd,)
    ).copy()
    lib.llama_free(handle)
    return embedding
