"""Top-k of several rows at once, compiled."""

import numpy as np

from slots.llama import Logits
from slots.sampling.logits.workspace import Floats32, Indices

try:
    from slots.sampling.logits import top_k_kernel

    IS_COMPILED = True
except ImportError:  # there was no compiler at installation
    IS_COMPILED = False

_MIN_LOGITS_PER_K = 32  # with fewer logits for each that is searched for, numpy is as fast
_MIN_LOGITS_PER_THREAD = 75_000  # from here on several threads are faster than one


def top_k_rows(logits: Logits, rows: Indices, ks: Indices, n_threads: int) -> tuple[Indices, Floats32] | None:
    """Find the `ks` largest logits of some rows; `rows` are their indices in `logits`, `rows` and `ks` have the shape
    (rows,).

    Returns tokens and logits, both of shape (rows, maximum of ks), each row by falling logit, with the lower token
    first among equals, and padded with token 0 and -inf. Returns None if numpy has to search row by row: rows are
    short, logits are NaN or infinite, or nothing was compiled.
    """
    max_k = int(ks.max())
    if not IS_COMPILED or logits.shape[1] < _MIN_LOGITS_PER_K * max_k:
        return None
    tokens = np.empty((rows.size, max_k), np.intp)
    largest = np.empty((rows.size, max_k), np.float32)
    is_parallel = rows.size > 1 and rows.size * logits.shape[1] >= _MIN_LOGITS_PER_THREAD * n_threads
    is_complete = top_k_kernel.top_k_rows(logits, rows, ks, tokens, largest, n_threads if is_parallel else 1)
    return (tokens, largest) if is_complete else None
