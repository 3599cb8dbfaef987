"""Context parameters: a context's options in llama.cpp's struct."""

from dataclasses import replace

import llama_cpp.llama_cpp as lib

from slots.errors import ModelLoadError
from slots.options import ContextOptions

MAX_SLOTS = 256
"""LLAMA_MAX_SEQ of llama.cpp: it refuses a context with more sequences."""

_MIN_CONTEXT = 256
"""llama.cpp rounds up to it, but only after it has limited the batch to possibly fewer tokens than slots."""

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
_FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}
_ROPE_SCALING = {"none": 0, "linear": 1, "yarn": 2}


def context_params(options: ContextOptions) -> lib.llama_context_params:
    """Returns llama.cpp's parameters. Raises ModelLoadError for a number of slots outside 1 to `MAX_SLOTS`."""
    if not 1 <= options.n_parallel <= MAX_SLOTS:
        raise ModelLoadError(f"the number of slots must be from 1 to {MAX_SLOTS}, not {options.n_parallel}")
    params: lib.llama_context_params = lib.llama_context_default_params()
    params.n_ctx = max(options.n_ctx, _MIN_CONTEXT)
    params.n_batch = max(options.n_batch, options.n_parallel)
    params.n_ubatch = options.n_ubatch
    params.n_seq_max = options.n_parallel
    if options.n_outputs is not None:  # fewer than sequences would end the process
        params.n_outputs_max = max(options.n_outputs, options.n_parallel)
    params.kv_unified = options.kv_unified
    params.swa_full = options.swa_full
    params.flash_attn_type = _FLASH_ATTENTION[options.flash_attention]
    params.offload_kqv = options.kv_offload
    params.op_offload = options.op_offload
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
        "yarn_beta_fast",
        "yarn_beta_slow",
    ):
        value = getattr(options, name)
        if value is not None:
            setattr(params, name, value)
    params.no_perf = True
    return params


def one_ubatch_at_a_time(options: ContextOptions) -> ContextOptions:
    """Returns the options with batches of at most an ubatch.

    If sequences share the few cells of a sliding window, llama.cpp 0.3.36 first looks for room for all ubatches of a
    batch, and thereby takes cells that the first one still needs: the logits are then wrong.
    """
    n_batch = max(min(options.n_batch, options.n_ubatch), options.n_parallel)
    return replace(options, n_batch=n_batch, n_ubatch=n_batch)
