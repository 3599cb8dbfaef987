"""Adaptive-p sampler: keeps the probabilities of sampled tokens near a target."""

import numpy as np

from slots.sampling.logits.candidates import Candidates
from slots.sampling.sampler_context import LogitsProcessor, SamplerInputs

_WIDTH = 0.3
_PEAK_LOGIT = 5.0
_SHARPNESS = 10.0


class AdaptiveP:
    """Adaptive-p (MrJackSpade and ddh0, llama.cpp, 2025): makes tokens near a target probability the likely ones, and
    moves the target so that the probabilities of the sampled tokens have it as their decaying average."""

    def __init__(self, target: float, decay: float) -> None:
        """`target` is a probability; the average covers about 1 / (1 - decay) tokens."""
        self._target = target
        self._decay = decay
        self._sum = target / (1.0 - decay)
        self._n = 1.0 / (1.0 - decay)
        self._probabilities = np.empty(0)
        self._logits = np.empty(0, np.float32)

    def __call__(self, candidates: Candidates) -> None:
        softmax = candidates.softmax()
        n = len(candidates)
        if n > self._logits.size:
            self._probabilities, self._logits = np.empty(n), np.empty(n, np.float32)
        probabilities = np.divide(softmax.weights, softmax.total(), out=self._probabilities[:n])
        target = min(max(2.0 * self._target - self._sum / self._n, 0.0), 1.0)
        distance = np.subtract(probabilities, target, out=softmax.weights)
        np.divide(np.abs(distance, out=distance), _WIDTH, out=distance)
        transformed = np.multiply(distance, distance, out=self._logits[:n])
        transformed /= np.add(distance, 1.0, out=distance)
        transformed *= -_SHARPNESS
        transformed += _PEAK_LOGIT
        is_masked = np.equal(candidates.logits, -np.inf, out=candidates.workspace.mask[:n])
        np.copyto(transformed, -np.inf, where=is_masked)
        candidates.set_logits(transformed)

    def observe(self, index: int, probability: float) -> None:
        self._sum = float(self._probabilities[index]) + self._decay * self._sum
        self._n = 1.0 + self._decay * self._n


def make_adaptive_p(inputs: SamplerInputs) -> LogitsProcessor:
    return AdaptiveP(inputs.params.adaptive_target, inputs.params.adaptive_decay)
