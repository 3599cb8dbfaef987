"""The largest logits of several rows."""

import numpy as np

from slots.llama import Logits
from slots.sampling.logits.workspace import Floats32, Indices

try:
    from slots.sampling.logits import top_k_kernel

    IS_COMPILED = True
except ImportError:  # there was no compiler where the server was installed
    IS_COMPILED = False

_LEAST_DEPTH = 32
"""Logits of a row for each of those that are looked for, less than which numpy sorts out as fast."""
_WORTH_A_THREAD = 75_000
"""Logits for each thread from which on several find the largest ones sooner than one."""


def top_k_rows(logits: Logits, rows: Indices, ks: Indices, n_threads: int) -> tuple[Indices, Floats32] | None:
    """The `ks` largest logits of some rows; `rows` are their places in `logits`, `rows` and `ks` of shape (rows,).

    Returns the tokens and the logits, of shape (rows, most of ks): in each row the largest logit first and the lower
    token among equals; a row with a smaller k is filled with token 0 and minus infinity. None where it is better to
    look at the rows one by one, with numpy: when they are short, logits are not numbers or infinite, or nothing was
    compiled.
    """
    most = int(ks.max())
    if not IS_COMPILED or logits.shape[1] < _LEAST_DEPTH * most:
        return None
    tokens = np.empty((rows.size, most), np.intp)
    largest = np.empty((rows.size, most), np.float32)
    n_threads = n_threads if rows.size > 1 and rows.size * logits.shape[1] >= _WORTH_A_THREAD * n_threads else 1
    return (tokens, largest) if top_k_kernel.top_k_rows(logits, rows, ks, tokens, largest, n_threads) else None
