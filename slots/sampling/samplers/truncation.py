"""Samplers that take the unlikely tokens away: top-k, top-p, min-p and top-n-sigma."""

import math
from functools import partial

import numpy as np

from slots.sampling.ingredients import Ingredients, Step
from slots.sampling.logits.candidates import Candidates
from slots.sampling.logits.search import Floats, at_least, descending

_FIRST_TRY = 128
"""Tokens that usually have the mass that top-p asks for."""
_SLACK = 0.999
"""For the rounding of sums in 32 bits."""


def keep_top_k(candidates: Candidates, k: int) -> None:
    """Top-k sampling (Fan et al., 2018): the k most likely tokens, k from 1 on."""
    candidates.keep_largest(k)


def keep_top_p(candidates: Candidates, p: float, min_keep: int) -> None:
    """Nucleus sampling (Holtzman et al., 2019): the fewest tokens whose probabilities add up to at least p."""
    if candidates.ids is None:
        reached, total = _keep_likely(candidates, p, min_keep)
    else:
        reached = candidates.sort().softmax().weights.cumsum()
        total = reached[-1]
    candidates.keep_first(max(int(reached.searchsorted(p * total)) + 1, min_keep))


def _keep_likely(candidates: Candidates, p: float, min_keep: int) -> tuple[Floats, float]:
    """Take tokens of a whole row away that cannot belong to the nucleus, but leave `min_keep` of them, and sort the
    others. Returns the weights of those, added up one after the other, and the total of the row.

    Tokens less likely than (1 - p) / n, of which there are at most n, have less than 1 - p together.
    """
    softmax = candidates.softmax()
    total = softmax.total()
    places = candidates.largest(max(_FIRST_TRY, min_keep))
    reached = softmax.weights[places].cumsum(dtype=np.float64)
    if reached[-1] < p * total:
        places = at_least(softmax.weights, _SLACK * (1 - p) * total / len(candidates), candidates.workspace)
        places = places[descending(candidates.logits[places])]
        reached = softmax.weights[places].cumsum(dtype=np.float64)
    candidates.keep(places)
    candidates.is_sorted = True
    return reached, total


def keep_min_p(candidates: Candidates, p: float, min_keep: int) -> None:
    """Min-p sampling (Nguyen et al., 2024): the tokens at least p times as likely as the most likely one, p above 0."""
    candidates.keep_from(candidates.peak() + math.log(p), min_keep)


def keep_top_n_sigma(candidates: Candidates, n: float) -> None:
    """Top-n-sigma sampling (Tang et al., 2024): the tokens whose logits are at most n standard deviations below the
    largest one. As in llama.cpp, tokens that were ruled out do not count; those that it rules out itself still count
    as candidates for the samplers behind it."""
    logits, workspace = candidates.logits, candidates.workspace
    mean = logits.mean()
    if mean == -np.inf:
        is_possible = np.greater(logits, -np.inf, out=workspace.mask[: logits.size])
        n_possible = np.count_nonzero(is_possible)
        if n_possible == 0:
            return
        logits = np.compress(is_possible, logits, out=workspace.shifted[:n_possible])
        mean = logits.mean()
    deviations = np.subtract(logits, mean, out=workspace.shifted[: logits.size])
    sigma = math.sqrt(deviations.dot(deviations) / deviations.size)
    candidates.rule_out_below(candidates.peak() - n * sigma)


def make_top_n_sigma(of: Ingredients) -> Step | None:
    """Returns the sampler of a request; None where all tokens stay."""
    n = of.params.top_n_sigma
    return partial(keep_top_n_sigma, n=n) if n > 0 else None


def make_top_k(of: Ingredients) -> Step | None:
    """Returns the sampler of a request; None where all tokens stay."""
    k = of.params.top_k
    return partial(keep_top_k, k=k) if 0 < k < of.surroundings.n_vocab else None


def make_top_p(of: Ingredients) -> Step | None:
    """Returns the sampler of a request; None where all tokens stay."""
    params = of.params
    return partial(keep_top_p, p=params.top_p, min_keep=params.min_keep) if params.top_p < 1 else None


def k_of(step: Step) -> int | None:
    """The k of a step that is a top-k; None for any other."""
    return int(step.keywords["k"]) if isinstance(step, partial) and step.func is keep_top_k else None


def make_min_p(of: Ingredients) -> Step | None:
    """Returns the sampler of a request; None where all tokens stay."""
    params = of.params
    return partial(keep_min_p, p=params.min_p, min_keep=params.min_keep) if params.min_p > 0 else None
