"""Mirostat samplers: adjust the truncation so that the surprise of the text stays near a target."""

import math

import numpy as np

from slots.sampling.logits.candidates import Candidates
from slots.sampling.logits.search import indices_at_least
from slots.sampling.sampler_context import LogitsProcessor, SamplerInputs

_N_ESTIMATE = 100  # most likely tokens from which the exponent of Zipf's law is estimated
_MAX_BITS = 1000.0  # no token is more surprising, and 2 to this power is finite


class _Feedback:
    """The maximum surprise of a token, in bits: the paper's mu, which starts at 2 tau."""

    def __init__(self, tau: float, eta: float) -> None:
        self._tau = tau
        self._eta = eta
        self.bits = 2.0 * tau

    def observe(self, _index: int, probability: float) -> None:
        """Update mu with the probability of the sampled token, as in llama.cpp the one after the truncation, in both
        versions."""
        error = -math.log2(probability) - self._tau
        self.bits = min(max(self.bits - self._eta * error, -_MAX_BITS), _MAX_BITS)


class MirostatV1(_Feedback):
    """Mirostat (Basu et al., 2021), algorithm 1: a top-k with k computed from the maximum surprise and the exponent of
    Zipf's law, estimated from the 100 most likely tokens.

    If k exceeds 32-bit integers all tokens are kept. llama.cpp keeps one then, and also if fewer than 100 tokens are
    possible, from which the exponent is estimated here.
    """

    def __init__(self, tau: float, eta: float, n_vocab: int) -> None:
        super().__init__(tau, eta)
        self._n_vocab = n_vocab

    def __call__(self, candidates: Candidates) -> None:
        candidates.keep_largest(self._k(candidates))

    def _k(self, candidates: Candidates) -> int:
        n = min(_N_ESTIMATE, len(candidates))
        logits = candidates.logits
        top = logits[:n] if candidates.is_sorted else logits[candidates.top_k(n)]
        top = top[top > -np.inf].astype(np.float64)
        if top.size < 2:
            return 1
        t = np.log(np.arange(2, top.size + 1) / np.arange(1, top.size))
        exponent = float(t.dot(-np.diff(top)) / t.dot(t))
        return self._k_for_exponent(exponent, len(candidates))

    def _k_for_exponent(self, exponent: float, max_k: int) -> int:
        """The paper's equation for k, by its logarithm because k may overflow."""
        epsilon = exponent - 1.0
        slope = math.log(self._n_vocab)
        if abs(epsilon) > 1e-9:
            slope = -math.expm1(-epsilon * slope) / epsilon
        log_base = self.bits * math.log(2.0) - math.log(slope)
        if log_base >= exponent * math.log(max_k):
            return max_k
        return max(int(math.exp(log_base / exponent)), 1) if exponent > 0 else 1


class MirostatV2(_Feedback):
    """Mirostat 2.0 (Basu et al., 2021): removes the tokens above the maximum surprise."""

    def __call__(self, candidates: Candidates) -> None:
        softmax = candidates.softmax()
        indices = indices_at_least(softmax.weights, softmax.total() * 2.0**-self.bits, candidates.workspace)
        candidates.keep(indices if indices.size else np.array([candidates.argmax()]))


def make_mirostat(inputs: SamplerInputs) -> LogitsProcessor:
    params = inputs.params
    if params.mirostat == 1:
        return MirostatV1(params.mirostat_tau, params.mirostat_eta, inputs.context.n_vocab)
    return MirostatV2(params.mirostat_tau, params.mirostat_eta)
