"""Adaptive-p: chosen tokens stay near a target probability."""

import numpy as np

from slots.sampling.candidates import Candidates
from slots.sampling.ingredients import Ingredients, Step
from slots.sampling.selection import Floats

_WIDTH = 0.3
_PEAK_LOGIT = 5.0
_SHARPNESS = 10.0


class AdaptiveP:
    """Adaptive-p (MrJackSpade and ddh0, llama.cpp, 2025): tokens near a target probability become the likely ones, and
    the target moves so that the chosen tokens' own probabilities have it as their decaying average."""

    def __init__(self, target: float, decay: float) -> None:
        """`target` is from 0 to 1; the average looks back on about 1 / (1 - decay) tokens."""
        self._target = target
        self._decay = decay
        self._sum = target / (1.0 - decay)
        self._n = 1.0 / (1.0 - decay)
        self._probabilities: Floats = np.empty(0)

    def __call__(self, candidates: Candidates) -> None:
        softmax = candidates.softmax()
        self._probabilities = softmax.weights / softmax.total()
        target = min(max(2.0 * self._target - self._sum / self._n, 0.0), 1.0)
        distance = np.abs(self._probabilities - target) / _WIDTH
        transformed = _PEAK_LOGIT - _SHARPNESS * distance * distance / (1.0 + distance)
        candidates.replace(np.where(candidates.logits > -np.inf, transformed, -np.inf))

    def observe(self, place: int, probability: float) -> None:
        """Take in which of the candidates was chosen."""
        self._sum = float(self._probabilities[place]) + self._decay * self._sum
        self._n = 1.0 + self._decay * self._n


def make_adaptive_p(of: Ingredients) -> Step | None:
    params = of.params
    return AdaptiveP(params.adaptive_target, params.adaptive_decay) if params.adaptive_target >= 0 else None
