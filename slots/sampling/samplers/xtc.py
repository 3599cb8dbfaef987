"""XTC sampler: excludes top choices."""

from slots.sampling.logits.candidates import Candidates
from slots.sampling.logits.random_numbers import Random
from slots.sampling.logits.search import indices_at_least
from slots.sampling.sampler_context import LogitsProcessor, SamplerInputs

_MIN_WEIGHT = 1e-45  # the smallest positive float32: a threshold of 0 must not include masked tokens


class Xtc:
    """XTC, exclude top choices (p-e-w, text-generation-webui, 2024): with some probability, removes all tokens whose
    probability is at least a threshold, except the least likely of them.

    As in llama.cpp, masked tokens count for `min_keep`. Unlike there, a threshold of 0 does not make a masked token the
    least likely one.
    """

    def __init__(self, probability: float, threshold: float, min_keep: int, rng: Random) -> None:
        """`probability` is that of removing tokens at all, drawn for each token."""
        self._probability = probability
        self._threshold = threshold
        self._min_keep = min_keep
        self._rng = rng

    def __call__(self, candidates: Candidates) -> None:
        if len(candidates) < 2 or self._rng.random() > self._probability:
            return
        softmax = candidates.softmax()
        min_weight = max(self._threshold * softmax.total(), _MIN_WEIGHT)
        top = indices_at_least(softmax.weights, min_weight, candidates.workspace)
        if top.size < 2 or candidates.n_total - (top.size - 1) < self._min_keep:
            return
        is_kept = candidates.workspace.mask[: len(candidates)]
        is_kept[:] = True
        is_kept[top] = False
        is_kept[top[softmax.weights[top].argmin()]] = True
        was_sorted, n_masked = candidates.is_sorted, candidates.n_masked
        candidates.keep(is_kept.nonzero()[0])
        candidates.is_sorted, candidates.n_masked = was_sorted, n_masked


def make_xtc(inputs: SamplerInputs) -> LogitsProcessor:
    params = inputs.params
    return Xtc(params.xtc_probability, params.xtc_threshold, params.min_keep, inputs.rng)
