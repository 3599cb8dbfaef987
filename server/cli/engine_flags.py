"""The flags of the engine: how its context is laid out, and where it computes."""

from typing import get_args

from server.cli.parser import Flag, Group, Switch
from server.cli.values import (
    MAX_SIZE,
    existing_folder,
    finite_float,
    flash_attention,
    gpu_layers,
    int_in_range,
    one_of,
    positive_float,
    reciprocal,
    tensor_split,
    text_file,
    thread_count,
)
from server.settings import CacheIsolation
from slots.options import CacheType, Pooling, RopeScaling, SplitMode

CACHE_TYPES = get_args(CacheType)
ROPE_SCALINGS = get_args(RopeScaling)
SPLIT_MODES = get_args(SplitMode)

CONTEXT = Group(
    "slots, context and threads",
    "",
    Flag(
        "-np, --parallel N",
        "n_parallel",
        int_in_range(1),
        "slots: requests served at the same time",
        "LLAMA_ARG_N_PARALLEL",
    ),
    Flag(
        "-c, --ctx-size N",
        "n_ctx",
        int_in_range(0, MAX_SIZE),
        "tokens in the KV cache, of all slots together; 0: what the model was trained with, for each slot",
        "LLAMA_ARG_CTX_SIZE",
    ),
    Switch(
        "-kvu, --kv-unified, -no-kvu, --no-kv-unified",
        "kv_unified",
        "one KV cache for all slots, instead of an equal part for each",
        "LLAMA_ARG_KV_UNIFIED",
    ),
    Flag("-b, --batch-size N", "n_batch", int_in_range(1, MAX_SIZE), "most tokens in one step", "LLAMA_ARG_BATCH"),
    Flag(
        "-ub, --ubatch-size N",
        "n_ubatch",
        int_in_range(1, MAX_SIZE),
        "most tokens in one pass over the weights, and of a prompt while other slots generate",
        "LLAMA_ARG_UBATCH",
    ),
    Flag(
        "-fa, --flash-attn [on|off|auto]",
        "flash_attention",
        flash_attention,
        "flash attention; without a value, on",
        "LLAMA_ARG_FLASH_ATTN",
        implicit_value="on",
    ),
    Flag(
        "-ctk, --cache-type-k TYPE",
        "cache_type_k",
        one_of(*CACHE_TYPES),
        f"type of the keys in the KV cache: {', '.join(CACHE_TYPES)}",
        "LLAMA_ARG_CACHE_TYPE_K",
    ),
    Flag(
        "-ctv, --cache-type-v TYPE",
        "cache_type_v",
        one_of(*CACHE_TYPES),
        "type of the values in the KV cache, one of the same",
        "LLAMA_ARG_CACHE_TYPE_V",
    ),
    Flag(
        "-t, --threads N",
        "n_threads",
        thread_count,
        "CPU threads when generating; 0: one for each core",
        "LLAMA_ARG_THREADS",
    ),
    Flag("-tb, --threads-batch N", "n_threads_batch", thread_count, "CPU threads for prompts; 0: as many as -t"),
)

GPU = Group(
    "GPU",
    "These matter where llama.cpp was built for one.",
    Flag(
        "-ngl, --gpu-layers, --n-gpu-layers N",
        "n_gpu_layers",
        gpu_layers,
        "layers held in GPU memory: a number, 'auto' or 'all'",
        "LLAMA_ARG_N_GPU_LAYERS",
    ),
    Flag(
        "-sm, --split-mode MODE",
        "split_mode",
        one_of(*SPLIT_MODES),
        f"how the model is spread over several GPUs: {', '.join(SPLIT_MODES)}",
        "LLAMA_ARG_SPLIT_MODE",
    ),
    Flag(
        "-ts, --tensor-split N0,N1,...",
        "tensor_split",
        tensor_split,
        "share of the model for each GPU, such as 3,1; without it, by free memory",
        "LLAMA_ARG_TENSOR_SPLIT",
    ),
    Switch(
        "-bs, --backend-sampling, --no-backend-sampling",
        "backend_sampling",
        "find the largest logits where they are computed, and copy only those from there",
        "LLAMA_ARG_BACKEND_SAMPLING",
    ),
    Flag(
        "-mg, --main-gpu INDEX",
        "main_gpu",
        int_in_range(0),
        "the GPU of a model that is not spread",
        "LLAMA_ARG_MAIN_GPU",
    ),
)

ROPE = Group(
    "RoPE and YaRN",
    "What is not given comes from the model.",
    Flag(
        "--rope-scaling METHOD",
        "rope_scaling",
        one_of(*ROPE_SCALINGS),
        f"scaling of positions: {', '.join(ROPE_SCALINGS)}",
        "LLAMA_ARG_ROPE_SCALING_TYPE",
    ),
    Flag("--rope-scale N", "rope_freq_scale", reciprocal, "stretch the context N times", "LLAMA_ARG_ROPE_SCALE"),
    Flag("--rope-freq-base N", "rope_freq_base", positive_float, "base frequency", "LLAMA_ARG_ROPE_FREQ_BASE"),
    Flag(
        "--rope-freq-scale N", "rope_freq_scale", positive_float, "the same as 1/N above", "LLAMA_ARG_ROPE_FREQ_SCALE"
    ),
    Flag(
        "--yarn-orig-ctx N",
        "yarn_orig_ctx",
        int_in_range(0, MAX_SIZE),
        "context before stretching",
        "LLAMA_ARG_YARN_ORIG_CTX",
    ),
    Flag("--yarn-ext-factor N", "yarn_ext_factor", finite_float, "extrapolation mix", "LLAMA_ARG_YARN_EXT_FACTOR"),
    Flag("--yarn-attn-factor N", "yarn_attn_factor", finite_float, "scale of attention", "LLAMA_ARG_YARN_ATTN_FACTOR"),
    Flag("--yarn-beta-slow N", "yarn_beta_slow", finite_float, "high correction dimension", "LLAMA_ARG_YARN_BETA_SLOW"),
    Flag("--yarn-beta-fast N", "yarn_beta_fast", finite_float, "low correction dimension", "LLAMA_ARG_YARN_BETA_FAST"),
)

ISOLATIONS = get_args(CacheIsolation)

CACHE = Group(
    "prefixes and long contexts",
    "",
    Flag(
        "-cram, --cache-ram N",
        "cache_ram_mib",
        int_in_range(-1, MAX_SIZE),
        "most MiB of memory for conversations that lost their slot; -1: no limit, 0: none is kept",
        "LLAMA_ARG_CACHE_RAM",
    ),
    Flag(
        f"--cache-isolation {'|'.join(ISOLATIONS)}",
        "cache_isolation",
        one_of(*ISOLATIONS),
        "who shares what was computed of a prompt: everybody, one session, or one API key",
    ),
    Flag(
        "-spf, --system-prompt-file FILE",
        "system_prompt",
        text_file,
        "text in front of every prompt, until a request brings another system_prompt",
    ),
    Switch(
        "--context-shift, --no-context-shift",
        "context_shift",
        "where the context ends, leave out the older half and go on",
        "LLAMA_ARG_CONTEXT_SHIFT",
    ),
    Switch(
        "--swa-full",
        "swa_full",
        "keep all of the KV cache of layers with a sliding window; the slots of one pool can then share prefixes",
        "LLAMA_ARG_SWA_FULL",
    ),
    Flag(
        "--slot-save-path PATH", "slot_save_path", existing_folder, "folder that slots are saved to and restored from"
    ),
)

POOLINGS = get_args(Pooling)

EMBEDDING = Group(
    "embeddings and ranking",
    "A model that generates text computes embeddings as well, without any of these.",
    Switch(
        "--embedding, --embeddings",
        "embeddings_only",
        "compute embeddings only, and have no slots and KV cache for texts",
        "LLAMA_ARG_EMBEDDINGS",
    ),
    Switch("--reranking, --rerank", "reranking", "only rank documents, as with --pooling rank", "LLAMA_ARG_RERANKING"),
    Flag(
        f"--pooling {'|'.join(POOLINGS)}",
        "pooling",
        one_of(*POOLINGS),
        "how the embeddings of a text's tokens become one; rank: a score, from the model's classification head",
        "LLAMA_ARG_POOLING",
    ),
    Flag(
        "--embd-normalize N",
        "embd_normalize",
        int_in_range(-1, MAX_SIZE),
        "norm that /embedding divides by: 1 taxicab, 2 Euclidean, N the N-norm; 0: largest is 32760; -1: none",
    ),
)
