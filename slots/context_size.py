"""How many KV cells to make when nobody said."""

import logging
import os
from pathlib import Path

from slots.llama import ModelInfo

_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")
"""A number of bytes, or "max"."""

_log = logging.getLogger("slots")


def default_n_ctx(info: ModelInfo, n_parallel: int, *, kv_unified: bool, memory_bytes: int) -> int:
    """The number of cells with which a slot can use all of the context that the model was trained with.

    With cells of its own for each slot that is the trained context times the slots; it is cut down, and a warning
    says so, where the KV cache (16-bit) would take more than half of `memory_bytes`.
    """
    wanted = info.n_ctx_train * (1 if kv_unified else n_parallel)
    affordable = memory_bytes // 2 // max(info.kv_bytes_per_token, 1)
    if wanted <= affordable:
        return wanted
    _log.warning(
        "the context is cut down from %d to %d tokens in all: more of the KV cache does not fit into half of the"
        " memory; choose another size with --ctx-size",
        wanted,
        affordable,
    )
    return affordable


def total_memory_bytes() -> int:
    """The memory of this machine, or of the container that this runs in."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(physical, int(_CONTAINER_LIMIT.read_text()))
    except (OSError, ValueError):
        return physical
