"""Samplers that take the unlikely tokens away: top-k, top-p, min-p and top-n-sigma."""

import math
from functools import partial

import numpy as np

from slots.sampling.logits.candidates import Candidates, check_max_logit
from slots.sampling.logits.search import Floats, argsort_descending, indices_at_least, top_k_indices
from slots.sampling.logits.workspace import Floats64
from slots.sampling.sampler_context import LogitsProcessor, SamplerInputs

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
    places = candidates.top_k(max(_FIRST_TRY, min_keep))
    reached = softmax.weights[places].cumsum(dtype=np.float64)
    if reached[-1] < p * total:
        places = indices_at_least(softmax.weights, _SLACK * (1 - p) * total / len(candidates), candidates.workspace)
        places = places[argsort_descending(candidates.logits[places])]
        reached = softmax.weights[places].cumsum(dtype=np.float64)
    candidates.keep(places)
    candidates.is_sorted = True
    return reached, total


def keep_min_p(candidates: Candidates, p: float, min_keep: int) -> None:
    """Min-p sampling (Nguyen et al., 2024): the tokens at least p times as likely as the most likely one, p above 0."""
    candidates.keep_from(candidates.max_logit() + math.log(p), min_keep)


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
    candidates.keep_from_but_count(candidates.max_logit() - n * sigma)


def make_top_n_sigma(inputs: SamplerInputs) -> LogitsProcessor | None:
    """Returns the sampler of a request; None where all tokens stay."""
    n = inputs.params.top_n_sigma
    return partial(keep_top_n_sigma, n=n) if n > 0 else None


def make_top_k(inputs: SamplerInputs) -> LogitsProcessor | None:
    """Returns the sampler of a request; None where all tokens stay."""
    k = inputs.params.top_k
    return partial(keep_top_k, k=k) if 0 < k < inputs.context.n_vocab else None


def make_top_p(inputs: SamplerInputs) -> LogitsProcessor | None:
    """Returns the sampler of a request; None where all tokens stay."""
    params = inputs.params
    return partial(keep_top_p, p=params.top_p, min_keep=params.min_keep) if params.top_p < 1 else None


def get_top_k(step: LogitsProcessor) -> int | None:
    """The k of a step that is a top-k; None for any other."""
    return int(step.keywords["k"]) if isinstance(step, partial) and step.func is keep_top_k else None


def make_min_p(inputs: SamplerInputs) -> LogitsProcessor | None:
    """Returns the sampler of a request; None where all tokens stay."""
    params = inputs.params
    return partial(keep_min_p, p=params.min_p, min_keep=params.min_keep) if params.min_p > 0 else None


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
        places = top_k_indices(nearness, n_looked_at, candidates.workspace)
        reached = softmax.weights[places].cumsum(dtype=np.float64)
        if reached[-1] > p * total:
            break
    n = int(reached.searchsorted(p * total, side="right")) + 1
    candidates.keep(places[: max(n, min_keep)])


def make_typical(inputs: SamplerInputs) -> LogitsProcessor | None:
    """Returns the sampler of a request; None where all tokens stay."""
    params = inputs.params
    return partial(keep_typical, p=params.typical_p, min_keep=params.min_keep) if params.typical_p < 1 else None


_NO_CURVATURE = 1e-6


def keep_tail_free(candidates: Candidates, z: float, min_keep: int) -> None:
    """Tail free sampling (Bricken, 2019): the tokens before the tail of the sorted probabilities, which begins where
    the share of their curvature, the absolute second differences, adds up to more than z.

    Bricken's own code and others' keep one or two tokens more. This one begins the tail where llama.cpp did while it
    had this sampler, at the first token whose curvature is beyond z, and like it takes a sum of curvatures below 1e-6
    as a straight line. Unlike it, at least one token stays.
    """
    if candidates.n_total <= 2:
        return
    if candidates.ids is None:
        weights, curvature = _of_whole_row(candidates)
    else:
        # Behind two tokens without any probability there is no curvature.
        zeros = np.zeros(min(candidates.n_masked, 2))
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
    if beyond < curvature.size and place < candidates.n_total - 2:
        candidates.keep_first(max(place, 1))


def _of_whole_row(candidates: Candidates) -> tuple[Floats64, Floats64]:
    """The weights of all tokens of a row, the largest one first, and a buffer of their size."""
    peak = np.float32(candidates.max_logit())
    check_max_logit(float(peak))
    n, workspace = len(candidates), candidates.workspace
    falling = np.negative(candidates.logits, out=workspace.scratch[:n])
    falling.sort()
    shifted = np.subtract(-peak, falling, out=falling)
    weights, curvature = workspace.float64_buffers()
    return np.exp(shifted, dtype=np.float64, out=weights[:n]), curvature[:n]


def make_tail_free(inputs: SamplerInputs) -> LogitsProcessor | None:
    """Returns the sampler of a request; None where all tokens stay."""
    params = inputs.params
    return partial(keep_tail_free, z=params.tfs_z, min_keep=params.min_keep) if params.tfs_z < 1 else None
