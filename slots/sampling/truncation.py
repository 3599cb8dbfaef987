"""Samplers that cut off the unlikely tokens. Each takes logits sorted from the largest and says how many stay."""

import math

import numpy as np
import numpy.typing as npt

SortedLogits = npt.NDArray[np.float64]


def keep_top_p(logits: SortedLogits, p: float) -> int:
    """Nucleus sampling (Holtzman et al., 2019): the fewest tokens whose probabilities add up to at least p.

    Returns how many of the sorted logits, shape (candidates,), stay: at least 1.
    """
    if p >= 1.0:
        return logits.size
    weights = np.exp(logits - logits[0])
    mass = np.cumsum(weights)
    return min(int(np.searchsorted(mass, p * mass[-1], side="left")) + 1, logits.size)


def keep_min_p(logits: SortedLogits, p: float) -> int:
    """Min-p sampling (Nguyen et al., 2024): the tokens at least p times as likely as the most likely one.

    Returns how many of the sorted logits, shape (candidates,), stay: at least 1.
    """
    if p <= 0.0:
        return logits.size
    threshold = logits[0] + math.log(p)
    return max(int(np.searchsorted(-logits, -threshold, side="right")), 1)
