"""Exclude top choices."""

import numpy as np

from slots.sampling.logits.candidates import Candidates
from slots.sampling.logits.search import indices_at_least
from slots.sampling.sampler_context import LogitsProcessor, SamplerInputs

_LEAST_WEIGHT = 1e-45
"""Of a token that is possible at all."""


class Xtc:
    """XTC, exclude top choices (p-e-w, text-generation-webui, 2024): now and then, all tokens with at least a threshold
    of probability are taken away but for the least likely one of them.

    As in llama.cpp, tokens that are ruled out count for `min_keep`. Unlike there, a threshold of 0 makes none of them
    the least likely one.
    """

    def __init__(self, probability: float, threshold: float, min_keep: int, random: np.random.Generator) -> None:
        """`probability` is that of it happening at a token."""
        self._probability = probability
        self._threshold = threshold
        self._min_keep = min_keep
        self._random = random

    def __call__(self, candidates: Candidates) -> None:
        if len(candidates) < 2 or self._random.random() > self._probability:
            return
        softmax = candidates.softmax()
        least = max(self._threshold * softmax.total(), _LEAST_WEIGHT)
        top = indices_at_least(softmax.weights, least, candidates.workspace)
        if top.size < 2 or candidates.n_total - (top.size - 1) < self._min_keep:
            return
        stays = candidates.workspace.mask[: len(candidates)]
        stays[:] = True
        stays[top] = False
        stays[top[softmax.weights[top].argmin()]] = True
        was_sorted, n_ruled_out = candidates.is_sorted, candidates.n_masked
        candidates.keep(stays.nonzero()[0])
        candidates.is_sorted, candidates.n_masked = was_sorted, n_ruled_out


def make_xtc(inputs: SamplerInputs) -> LogitsProcessor | None:
    """Returns the sampler of a request; None where it never takes a token away."""
    params = inputs.params
    if params.xtc_probability == 0 or params.xtc_threshold > 0.5:
        return None
    return Xtc(params.xtc_probability, params.xtc_threshold, params.min_keep, inputs.rng)
