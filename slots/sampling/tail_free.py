"""Tail free sampling."""

from functools import partial

import numpy as np

from slots.sampling.ingredients import Ingredients, Step
from slots.sampling.logits.candidates import Candidates, check_possible
from slots.sampling.logits.workspace import Floats64

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
    if candidates.ids is None:
        weights, curvature = _of_whole_row(candidates)
    else:
        # Behind two tokens without any probability there is no curvature.
        zeros = np.zeros(min(candidates.n_ruled_out, 2))
        weights = np.append(candidates.sort().softmax().weights, zeros)
        curvature = np.empty_like(weights)
    weights /= weights.sum()
    slopes = np.subtract(weights[1:], weights[:-1], out=curvature[1:])
    curvature = np.subtract(slopes[1:], slopes[:-1], out=weights[2:])
    np.abs(curvature, out=curvature)
    total = float(curvature.sum())
    if total > _NO_CURVATURE:
        curvature /= total
    else:
        curvature.fill(1 / curvature.size)
    beyond = int(curvature.cumsum(out=curvature).searchsorted(z, side="right"))
    place = max(beyond, min_keep)
    if beyond < curvature.size and place < candidates.n_counted - 2:
        candidates.keep_first(max(place, 1))


def _of_whole_row(candidates: Candidates) -> tuple[Floats64, Floats64]:
    """The weights of all tokens of a row, the largest one first, and a buffer of their size."""
    peak = np.float32(candidates.peak())
    check_possible(float(peak))
    n, workspace = len(candidates), candidates.workspace
    falling = np.negative(candidates.logits, out=workspace.partitioned[:n])
    falling.sort()
    shifted = np.subtract(-peak, falling, out=falling)
    weights, curvature = workspace.doubles()
    return np.exp(shifted, dtype=np.float64, out=weights[:n]), curvature[:n]


def make_tail_free(of: Ingredients) -> Step | None:
    """Returns the sampler of a request; None where all tokens stay."""
    params = of.params
    return partial(keep_before_tail, z=params.tfs_z, min_keep=params.min_keep) if params.tfs_z < 1 else None
