"""The usual chain, for a row by itself.

Most steps of a server with one client choose one token, just after llama.cpp has filled the caches of the processor
with weights. What numpy does to forty numbers costs less than finding its functions in memory again: so as few of them
are called as can be, and the rest is done on lists.
"""

import math
from bisect import bisect_left, bisect_right
from itertools import accumulate
from operator import neg

import numpy as np

from slots.sampling.fast_chain import UsualOptions
from slots.sampling.logits.candidates import LARGEST_LOGIT, Candidates, check_possible


def draw_usual(candidates: Candidates, options: UsualOptions, random: np.random.Generator) -> int | None:
    """Do what a usual chain does after its edits, and draw one of the candidates that it leaves by their probabilities.
    The result is the same, to the last bit, as that of the samplers in `truncation`, `temperature` and `draw`.

    Returns its place. None where logits are too large for the temperature; the candidates are the same as before then,
    but for the top-k. Raises InvalidRequest when no candidate can be chosen.
    """
    candidates.keep_largest(options.top_k)
    peak = candidates.peak()
    check_possible(peak)
    if abs(peak) / options.temperature >= LARGEST_LOGIT:
        return None
    n = _n_kept(candidates, peak, options)
    logits = candidates.logits[:n]
    if options.temperature != 1:
        logits = logits / np.float32(options.temperature)
    mass = list(accumulate(np.exp(logits - logits[0], dtype=np.float64).tolist()))
    check_possible(mass[-1])
    return bisect_right(mass, random.random() * mass[-1])


def _n_kept(candidates: Candidates, peak: float, options: UsualOptions) -> int:
    """How many of the first candidates top-p and min-p leave."""
    n = len(candidates)
    if options.top_p < 1:
        reached = list(accumulate(candidates.softmax().weights.tolist()))
        n = max(bisect_left(reached, options.top_p * reached[-1]) + 1, options.min_keep)
    if options.min_p > 0:
        bound = float(np.float32(peak + math.log(options.min_p)))
        n = max(bisect_right(candidates.logits[:n].tolist(), -bound, key=neg), options.min_keep)
    return n
