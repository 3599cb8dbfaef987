"""Flags of the prompt cache: what is reused of earlier requests, and what happens when a context is full."""

from typing import get_args

from server.cli.flags.sampling import describe_option
from server.cli.parser import Flag, Group, Switch
from server.cli.values import MAX_SIZE, existing_folder, int_in_range, one_of, text_file
from server.settings import CacheIsolation

ISOLATIONS = get_args(CacheIsolation)

CACHE = Group(
    "prefix caching and context shift",
    "",
    Switch(
        "--cache-prompt, --no-cache-prompt",
        "cache_prompt",
        describe_option("cache_prompt"),
        "LLAMA_ARG_CACHE_PROMPT",
    ),
    Flag(
        "--cache-reuse N",
        "n_cache_reuse",
        int_in_range(0, MAX_SIZE),
        describe_option("n_cache_reuse"),
        "LLAMA_ARG_CACHE_REUSE",
    ),
    Flag(
        "-cram, --cache-ram N",
        "cache_ram_mib",
        int_in_range(-1, MAX_SIZE),
        "maximum size in MiB of the cache for conversations that lost their slot; -1 = no limit, 0 = disabled",
        "LLAMA_ARG_CACHE_RAM",
    ),
    Flag(
        f"--cache-isolation {'|'.join(ISOLATIONS)}",
        "cache_isolation",
        one_of(*ISOLATIONS),
        "which requests share cached prefixes: none = all, session = those of one session, key = those with one API "
        "key",
    ),
    Flag(
        "-spf, --system-prompt-file FILE",
        "system_prompt",
        text_file,
        "file with a text to insert before every prompt, until a request sets another system_prompt",
    ),
    Switch(
        "--context-shift, --no-context-shift",
        "context_shift",
        "when the context is full, discard its older half and continue",
        "LLAMA_ARG_CONTEXT_SHIFT",
    ),
    Flag("--keep N", "n_keep", int_in_range(-1), describe_option("n_keep")),
    Switch(
        "--swa-full",
        "swa_full",
        "keep the full KV cache of layers with sliding-window attention; slots of a unified cache can then share "
        "prefixes",
        "LLAMA_ARG_SWA_FULL",
    ),
    Flag(
        "--slot-save-path PATH", "slot_save_path", existing_folder, "folder that slots are saved to and restored from"
    ),
)
