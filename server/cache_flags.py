"""The flags of what is kept of prompts, and of where a context ends."""

from typing import get_args

from server.cli.parser import Flag, Group, Switch
from server.cli.values import MAX_SIZE, folder, one_of, text_file, whole
from server.settings import CacheIsolation

ISOLATIONS = get_args(CacheIsolation)

CACHE = Group(
    "prefixes and long contexts",
    "",
    Flag(
        "-cram, --cache-ram N",
        "cache_ram_mib",
        whole(-1, MAX_SIZE),
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
    Flag("--slot-save-path PATH", "slot_save_path", folder, "folder that slots are saved to and restored from"),
)
