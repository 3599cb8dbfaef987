"""Locally typical sampling."""

from functools import partial

import numpy as np

from slots.sampling.ingredients import Ingredients, Step
from slots.sampling.logits.candidates import Candidates
from slots.sampling.logits.search import largest

_TRIES = (256, 4096)
"""Of a whole row, as many of the most typical tokens are looked at before all of them are sorted."""


def keep_typical(candidates: Candidates, p: float, min_keep: int) -> None:
    """Locally typical sampling (Meister et al., 2022): the tokens whose surprise is nearest to the entropy, as many as
    it takes for their probabilities to add up to more than p.

    Tokens that are ruled out add nothing to the entropy; llama.cpp's is not a number with one of them.
    """
    softmax = candidates.softmax()
    total = softmax.total()
    # Surprise and entropy differ by as much as a logit and the mean of the logits do.
    distances = softmax.distances(softmax.mean_shifted())
    nearness = np.negative(distances, out=distances)
    for n_looked_at in (*(n for n in _TRIES if n >= min_keep), nearness.size):
        places = largest(nearness, n_looked_at, candidates.workspace)
        reached = softmax.weights[places].cumsum(dtype=np.float64)
        if reached[-1] > p * total:
            break
    n = int(reached.searchsorted(p * total, side="right")) + 1
    candidates.keep(places[: max(n, min_keep)])


def make_typical(of: Ingredients) -> Step | None:
    """Returns the sampler of a request; None where all tokens stay."""
    params = of.params
    return partial(keep_typical, p=params.typical_p, min_keep=params.min_keep) if params.typical_p < 1 else None
