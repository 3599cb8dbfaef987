"""Flags of the context: slots, batch sizes, threads, KV cache types and RoPE scaling."""

from typing import get_args

from server.cli.parser import Flag, Group, Switch
from server.cli.values import (
    MAX_SIZE,
    finite_float,
    flash_attention,
    int_in_range,
    one_of,
    positive_float,
    reciprocal,
    slot_count,
    thread_count,
)
from slots.options import CacheType, RopeScaling

CACHE_TYPES = get_args(CacheType)
ROPE_SCALINGS = get_args(RopeScaling)

CONTEXT = Group(
    "slots, context and threads",
    "",
    Flag(
        "-np, --parallel N",
        "n_parallel",
        slot_count,
        "number of slots: requests that are processed at the same time; -1 = 4",
        "LLAMA_ARG_N_PARALLEL",
    ),
    Flag(
        "-c, --ctx-size N",
        "n_ctx",
        int_in_range(0, MAX_SIZE),
        "size of the KV cache in tokens, over all slots; 0 = the context that the model was trained with, per slot",
        "LLAMA_ARG_CTX_SIZE",
    ),
    Switch(
        "-kvu, --kv-unified, -no-kvu, --no-kv-unified",
        "kv_unified",
        "use one KV cache for all slots, instead of an equal part per slot",
        "LLAMA_ARG_KV_UNIFIED",
    ),
    Flag(
        "-b, --batch-size N",
        "n_batch",
        int_in_range(1, MAX_SIZE),
        "maximum number of tokens in one step",
        "LLAMA_ARG_BATCH",
    ),
    Flag(
        "-ub, --ubatch-size N",
        "n_ubatch",
        int_in_range(1, MAX_SIZE),
        "maximum number of tokens in one pass over the weights, and of prompt tokens per step while other slots "
        "generate",
        "LLAMA_ARG_UBATCH",
    ),
    Flag(
        "-fa, --flash-attn [on|off|auto]",
        "flash_attention",
        flash_attention,
        "use of Flash Attention; without a value: on",
        "LLAMA_ARG_FLASH_ATTN",
        implicit_value="on",
    ),
    Flag(
        "-ctk, --cache-type-k TYPE",
        "cache_type_k",
        one_of(*CACHE_TYPES),
        f"data type of the keys in the KV cache: {', '.join(CACHE_TYPES)}",
        "LLAMA_ARG_CACHE_TYPE_K",
    ),
    Flag(
        "-ctv, --cache-type-v TYPE",
        "cache_type_v",
        one_of(*CACHE_TYPES),
        "data type of the values in the KV cache, one of the same",
        "LLAMA_ARG_CACHE_TYPE_V",
    ),
    Flag(
        "-t, --threads N",
        "n_threads",
        thread_count,
        "number of CPU threads during generation; 0 = the fastest number, found while the server runs",
        "LLAMA_ARG_THREADS",
    ),
    Flag(
        "-tb, --threads-batch N",
        "n_threads_batch",
        thread_count,
        "number of CPU threads of steps of more than one token, such as prompts; 0 = same as -t",
    ),
    Switch(
        "--warmup, --no-warmup",
        "warmup",
        "compute a token when the model is loaded, so that the first request need not wait for what that prepares",
    ),
)

ROPE = Group(
    "RoPE and YaRN",
    "The defaults come from the model.",
    Flag(
        "--rope-scaling METHOD",
        "rope_scaling",
        one_of(*ROPE_SCALINGS),
        f"RoPE frequency scaling method: {', '.join(ROPE_SCALINGS)}",
        "LLAMA_ARG_ROPE_SCALING_TYPE",
    ),
    Flag(
        "--rope-scale N",
        "rope_freq_scale",
        reciprocal,
        "RoPE context scaling factor: extends the context N times",
        "LLAMA_ARG_ROPE_SCALE",
    ),
    Flag("--rope-freq-base N", "rope_freq_base", positive_float, "RoPE base frequency", "LLAMA_ARG_ROPE_FREQ_BASE"),
    Flag(
        "--rope-freq-scale N",
        "rope_freq_scale",
        positive_float,
        "RoPE frequency scaling factor: extends the context 1/N times",
        "LLAMA_ARG_ROPE_FREQ_SCALE",
    ),
    Flag(
        "--yarn-orig-ctx N",
        "yarn_orig_ctx",
        int_in_range(0, MAX_SIZE),
        "YaRN: context size before scaling",
        "LLAMA_ARG_YARN_ORIG_CTX",
    ),
    Flag(
        "--yarn-ext-factor N",
        "yarn_ext_factor",
        finite_float,
        "YaRN: extrapolation mix factor",
        "LLAMA_ARG_YARN_EXT_FACTOR",
    ),
    Flag(
        "--yarn-attn-factor N",
        "yarn_attn_factor",
        finite_float,
        "YaRN: attention scaling factor",
        "LLAMA_ARG_YARN_ATTN_FACTOR",
    ),
    Flag(
        "--yarn-beta-slow N",
        "yarn_beta_slow",
        finite_float,
        "YaRN: high correction dimension",
        "LLAMA_ARG_YARN_BETA_SLOW",
    ),
    Flag(
        "--yarn-beta-fast N",
        "yarn_beta_fast",
        finite_float,
        "YaRN: low correction dimension",
        "LLAMA_ARG_YARN_BETA_FAST",
    ),
)
