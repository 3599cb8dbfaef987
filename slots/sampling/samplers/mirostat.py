"""Mirostat: the truncation follows the surprise of the text, so that it stays near a target."""

import math

import numpy as np

from slots.sampling.logits.candidates import Candidates
from slots.sampling.logits.search import indices_at_least
from slots.sampling.sampler_context import LogitsProcessor, SamplerInputs

_N_ESTIMATE = 100
"""The most likely tokens from which the exponent of Zipf's law is estimated."""
_MOST_BITS = 1000.0
"""No token is more surprising, and 2 to the power of it is still a number."""


class _Feedback:
    """The largest surprise, in bits, that a token may have: `bits` is the paper's mu, which starts at 2 tau."""

    def __init__(self, tau: float, eta: float) -> None:
        self._tau = tau
        self._eta = eta
        self.bits = 2.0 * tau

    def observe(self, place: int, probability: float) -> None:
        """Take in how likely the chosen token was among the candidates that were left.

        As in llama.cpp that is after the truncation, in both versions.
        """
        error = -math.log2(probability) - self._tau
        self.bits = min(max(self.bits - self._eta * error, -_MOST_BITS), _MOST_BITS)


class MirostatV1(_Feedback):
    """Mirostat (Basu et al., 2021), algorithm 1: a top-k whose k is computed from the largest surprise allowed and
    the exponent of Zipf's law, estimated from the 100 most likely tokens.

    Where that k is beyond 32-bit integers all tokens stay. llama.cpp keeps one there, and also where fewer than 100
    tokens are possible, of which the exponent is estimated here.
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
        return self._tokens_within(exponent, len(candidates))

    def _tokens_within(self, exponent: float, most: int) -> int:
        """The paper's equation for k, computed by its logarithm since k may be beyond any number."""
        epsilon = exponent - 1.0
        slope = math.log(self._n_vocab)
        if abs(epsilon) > 1e-9:
            slope = -math.expm1(-epsilon * slope) / epsilon
        log_base = self.bits * math.log(2.0) - math.log(slope)
        if log_base >= exponent * math.log(most):
            return most
        return max(int(math.exp(log_base / exponent)), 1) if exponent > 0 else 1


class MirostatV2(_Feedback):
    """Mirostat 2.0 (Basu et al., 2021): takes the tokens away that are more surprising than is allowed."""

    def __call__(self, candidates: Candidates) -> None:
        softmax = candidates.softmax()
        places = indices_at_least(softmax.weights, softmax.total() * 2.0**-self.bits, candidates.workspace)
        candidates.keep(places if places.size else np.array([candidates.argmax()]))


def make_mirostat(inputs: SamplerInputs) -> LogitsProcessor:
    """Returns the version that a request asks for."""
    params = inputs.params
    if params.mirostat == 1:
        return MirostatV1(params.mirostat_tau, params.mirostat_eta, inputs.context.n_vocab)
    return MirostatV2(params.mirostat_tau, params.mirostat_eta)
