"""Truncation samplers: top-k, top-p, min-p, top-n-sigma, typical and tail free.

Default requests do not pass through this module: `logits/sampling_kernel.pyx` does the same arithmetic for all rows of
a step at once. Every other chain, any with `n_probs`, and all where nothing was compiled use these functions; tests
hold both to the same bits.
"""

import math
from functools import partial

import numpy as np

from slots.sampling.logits.candidates import Candidates, check_max_logit
from slots.sampling.logits.search import Floats, argsort_descending, indices_at_least, top_k_indices
from slots.sampling.logits.workspace import Floats64
from slots.sampling.sampler_context import LogitsProcessor, SamplerInputs

_NUCLEUS_GUESS = 128  # tokens that usually include the nucleus of top-p
_SLACK = 0.999  # for the rounding of sums in 32 bits


def keep_top_k(candidates: Candidates, k: int) -> None:
    """Top-k sampling (Fan et al., 2018): keeps the k >= 1 most likely tokens."""
    candidates.keep_largest(k)


def keep_top_p(candidates: Candidates, p: float, min_keep: int) -> None:
    """Nucleus sampling (Holtzman et al., 2019): keeps the fewest tokens whose probabilities add up to at least p."""
    if candidates.ids is None:
        cumulative, total = _keep_nucleus_superset(candidates, p, min_keep)
    else:
        cumulative = candidates.sort().softmax().weights.cumsum()
        total = cumulative[-1]
    candidates.keep_first(max(int(cumulative.searchsorted(p * total)) + 1, min_keep))


def _keep_nucleus_superset(candidates: Candidates, p: float, min_keep: int) -> tuple[Floats, float]:
    """Remove tokens of a full row that cannot be in the nucleus, but keep `min_keep`, and sort the others. Returns the
    cumulative weights of those and the total weight of the row.

    Tokens less likely than (1 - p) / n, of which there are at most n, have a probability below 1 - p together.
    """
    softmax = candidates.softmax()
    total = softmax.total()
    indices = candidates.top_k(max(_NUCLEUS_GUESS, min_keep))
    cumulative = softmax.weights[indices].cumsum(dtype=np.float64)
    if cumulative[-1] < p * total:
        bound = _SLACK * (1 - p) * total / len(candidates)
        indices = indices_at_least(softmax.weights, bound, candidates.workspace)
        indices = indices[argsort_descending(candidates.logits[indices])]
        cumulative = softmax.weights[indices].cumsum(dtype=np.float64)
    candidates.keep(indices)
    candidates.is_sorted = True
    return cumulative, total


def keep_min_p(candidates: Candidates, p: float, min_keep: int) -> None:
    """Min-p sampling (Nguyen et al., 2024): keeps the tokens at least p > 0 times as likely as the most likely one."""
    candidates.keep_from(candidates.max_logit() + math.log(p), min_keep)


def keep_top_n_sigma(candidates: Candidates, n: float) -> None:
    """Top-n-sigma sampling (Tang et al., 2024): keeps the tokens whose logits are at most n standard deviations below
    the largest one. As in llama.cpp, masked tokens do not count; those removed here still count as candidates for later
    samplers."""
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


_TYPICAL_GUESSES = (256, 4096)  # numbers of most typical tokens that are tried before a full row is sorted


def keep_typical(candidates: Candidates, p: float, min_keep: int) -> None:
    """Locally typical sampling (Meister et al., 2022): keeps the tokens whose surprise is nearest to the entropy, the
    fewest whose probabilities add up to more than p.

    Masked tokens add nothing to the entropy; llama.cpp's is NaN with one of them.
    """
    softmax = candidates.softmax()
    total = softmax.total()
    # Surprise and entropy differ by as much as a logit and the mean of the logits do.
    distances = softmax.distances(softmax.mean_shifted())
    nearness = np.negative(distances, out=distances)
    for guess in (*(n for n in _TYPICAL_GUESSES if n >= min_keep), nearness.size):
        indices = top_k_indices(nearness, guess, candidates.workspace)
        cumulative = softmax.weights[indices].cumsum(dtype=np.float64)
        if cumulative[-1] > p * total:
            break
    n_kept = int(cumulative.searchsorted(p * total, side="right")) + 1
    candidates.keep(indices[: max(n_kept, min_keep)])


_MIN_CURVATURE = 1e-6


def keep_tail_free(candidates: Candidates, z: float, min_keep: int) -> None:
    """Tail free sampling (Bricken, 2019): keeps the tokens before the tail of the sorted probabilities, which starts
    where the normalized curvature (absolute second differences) adds up to more than z.

    Bricken's own code and others' keep one or two tokens more. As in llama.cpp while it had this sampler, the tail
    starts at the first token whose curvature exceeds z, and a total curvature below 1e-6 counts as a straight line.
    Unlike there, at least one token is kept.
    """
    if candidates.n_total <= 2:
        return
    if candidates.ids is None:
        weights, curvature = _sorted_weights(candidates)
    else:
        # After two tokens without any probability there is no curvature.
        zeros = np.zeros(min(candidates.n_masked, 2))
        weights = np.append(candidates.sort().softmax().weights, zeros)
        curvature = np.empty_like(weights)
    weights /= weights.sum()
    slopes = np.subtract(weights[1:], weights[:-1], out=curvature[1:])
    curvature = np.subtract(slopes[1:], slopes[:-1], out=weights[2:])
    np.abs(curvature, out=curvature)
    total = float(curvature.sum())
    if total > _MIN_CURVATURE:
        curvature /= total
    else:
        curvature.fill(1 / curvature.size)
    tail_start = int(curvature.cumsum(out=curvature).searchsorted(z, side="right"))
    n_kept = max(tail_start, min_keep)
    if tail_start < curvature.size and n_kept < candidates.n_total - 2:
        candidates.keep_first(max(n_kept, 1))


def _sorted_weights(candidates: Candidates) -> tuple[Floats64, Floats64]:
    """The weights of all tokens of a full row, largest first, and a buffer of their size."""
    max_logit = np.float32(candidates.max_logit())
    check_max_logit(float(max_logit))
    n, workspace = len(candidates), candidates.workspace
    descending = np.negative(candidates.logits, out=workspace.scratch[:n])
    descending.sort()
    shifted = np.subtract(-max_logit, descending, out=descending)
    weights, curvature = workspace.float64_buffers()
    return np.exp(shifted, dtype=np.float64, out=weights[:n]), curvature[:n]


def make_top_k(inputs: SamplerInputs) -> LogitsProcessor:
    return partial(keep_top_k, k=inputs.params.top_k)


def make_top_p(inputs: SamplerInputs) -> LogitsProcessor:
    return partial(keep_top_p, p=inputs.params.top_p, min_keep=inputs.params.min_keep)


def make_min_p(inputs: SamplerInputs) -> LogitsProcessor:
    return partial(keep_min_p, p=inputs.params.min_p, min_keep=inputs.params.min_keep)


def make_top_n_sigma(inputs: SamplerInputs) -> LogitsProcessor:
    return partial(keep_top_n_sigma, n=inputs.params.top_n_sigma)


def make_typical(inputs: SamplerInputs) -> LogitsProcessor:
    return partial(keep_typical, p=inputs.params.typical_p, min_keep=inputs.params.min_keep)


def make_tail_free(inputs: SamplerInputs) -> LogitsProcessor:
    return partial(keep_tail_free, z=inputs.params.tfs_z, min_keep=inputs.params.min_keep)
