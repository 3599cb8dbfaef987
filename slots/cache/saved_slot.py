"""What a slot holds, outside of the KV cache."""

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

from slots.options import ContextOptions
from slots.requests.scope import CacheScope


@dataclass(frozen=True, slots=True, eq=False)
class SavedSlot:
    """Enough to go on exactly where the slot was."""

    tokens: tuple[int, ...]
    n_unshifted: int
    """How many of them, from the first, have the keys and values that computing them anew would give."""
    scope: CacheScope
    snapshot: npt.NDArray[np.uint8]
    """The sequence's state in llama.cpp's own format."""


_SAMPLE_BYTES = 1 << 20


def fingerprint(path: Path, options: ContextOptions) -> str:
    """Returns hex digits that differ for another model or another layout of the KV cache.

    Of the model's file it takes the size, the beginning, where the header is, and the end, where weights are: reading
    all of it would take minutes. Positions scaled otherwise give other keys, too, and llama.cpp restores a sequence
    only among as many streams as it was saved from.
    """
    digest = blake2b(digest_size=16)
    size = path.stat().st_size
    digest.update(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(_SAMPLE_BYTES))
        file.seek(max(size - _SAMPLE_BYTES, 0))
        digest.update(file.read(_SAMPLE_BYTES))
    n_streams = 1 if options.kv_unified else options.n_parallel
    layout = (options.cache_type_k, options.cache_type_v, options.flash_attention, options.swa_full, n_streams)
    scaling = (options.rope_scaling, options.rope_freq_base, options.rope_freq_scale, options.yarn_orig_ctx)
    yarn = (options.yarn_ext_factor, options.yarn_attn_factor, options.yarn_beta_slow, options.yarn_beta_fast)
    digest.update(repr((layout, scaling, yarn)).encode())
    return digest.hexdigest()
