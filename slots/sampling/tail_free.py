"""Tail free sampling."""

from functools import partial

import numpy as np

from slots.sampling.candidates import Candidates
from slots.sampling.ingredients import Ingredients, Step

_NO_CURVATURE = 1e-6


def keep_before_tail(candidates: Candidates, z: float, min_keep: int) -> None:
    """Tail free sampling (Bricken, 2019): the tokens before the tail of the sorted probabilities, which begins where
    the share of their curvature, the absolute second differences, adds up to more than z.

    Bricken's own code and others' keep one or two tokens more. This one begins the tail where llama.cpp did while it
    had this sampler, at the first token whose curvature is beyond z, and like it takes a sum of curvatures below 1e-6
    as a straight line. Unlike it, at least one token stays.
    """
    if candidates.n_counted <= 2:
        return
    # Behind two tokens without any probability there is no curvature.
    zeros = np.zeros(min(candidates.n_ruled_out, 2))
    weights = np.append(candidates.sort().softmax().weights, zeros)
    curvature = np.abs(np.diff(weights / weights.sum(), n=2))
    total = float(curvature.sum())
    share = curvature / total if total > _NO_CURVATURE else np.full(curvature.size, 1 / curvature.size)
    beyond = (share.cumsum() > z).nonzero()[0]
    place = max(int(beyond[0]), min_keep) if beyond.size else candidates.n_counted
    if place < candidates.n_counted - 2:
        candidates.keep_first(max(place, 1))


def make_tail_free(of: Ingredients) -> Step | None:
    """Returns the sampler of a request; None where all tokens stay."""
    params = of.params
    return partial(keep_before_tail, z=params.tfs_z, min_keep=params.min_keep) if params.tfs_z < 1 else None
