"""Saved slot: a copy of a slot's contents, enough to continue its text exactly."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

from slots.options import ContextOptions, MetadataValue
from slots.requests.scope import CacheScope


@dataclass(frozen=True, slots=True, eq=False)
class SavedSlot:
    tokens: tuple[int, ...]
    n_unshifted: int
    scope: CacheScope
    snapshot: npt.NDArray[np.uint8]


_SAMPLE_BYTES = 1 << 20


def fingerprint(path: Path, options: ContextOptions, overrides: Sequence[tuple[str, MetadataValue]] = ()) -> str:
    """Returns hex digits that identify the model, the values that replace those of its header, the layout of the KV
    cache and the scaling of positions.

    Of the model's file the size, the first and the last MiB (header, weights) are read: all of it would take minutes.
    The number of streams counts because llama.cpp restores a sequence only among as many as it was saved from.
    """
    digest = blake2b(digest_size=16)
    size = path.stat().st_size
    digest.update(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(_SAMPLE_BYTES))
        file.seek(max(size - _SAMPLE_BYTES, 0))
        digest.update(file.read(_SAMPLE_BYTES))
    if overrides:
        digest.update(repr(tuple(overrides)).encode())
    n_streams = 1 if options.kv_unified else options.n_parallel
    layout = (options.cache_type_k, options.cache_type_v, options.flash_attention, options.swa_full, n_streams)
    scaling = (options.rope_scaling, options.rope_freq_base, options.rope_freq_scale, options.yarn_orig_ctx)
    yarn = (options.yarn_ext_factor, options.yarn_attn_factor, options.yarn_beta_slow, options.yarn_beta_fast)
    digest.update(repr((layout, scaling, yarn)).encode())
    return digest.hexdigest()
