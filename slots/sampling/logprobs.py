"""How likely tokens are, as the model gives it and as the samplers leave it."""

import math

from slots.requests.events import PositionLogprobs, TokenLogprob
from slots.sampling.logits.candidates import Candidates


class ModelLogprobs:
    """The probabilities of a whole row, softmax over the vocabulary, before any sampler."""

    def __init__(self, candidates: Candidates, n: int) -> None:
        """To be made before the first sampler; `n` is how many of the most likely tokens are of interest."""
        self._candidates = candidates
        self._log_total = candidates.max_logit() + math.log(candidates.softmax().total())
        logits = candidates.logits
        self._top = tuple(self._token_logprob(int(token), float(logits[token])) for token in candidates.top_k(n))

    def for_token(self, token: int) -> PositionLogprobs:
        """The most likely tokens, and the one that the samplers led to."""
        return PositionLogprobs(self._token_logprob(token, self._candidates.raw_logit(token)), self._top)

    def _token_logprob(self, token: int, logit: float) -> TokenLogprob:
        return TokenLogprob(token, logit - self._log_total)


def sampled_logprobs(candidates: Candidates, chosen: int, n: int) -> PositionLogprobs:
    """The `n` most likely of the candidates that the samplers left, or as many as are possible at all.

    `chosen` is the place of the chosen one.
    """
    softmax = candidates.softmax()
    weights, total = softmax.weights, softmax.total()

    def of(place: int) -> TokenLogprob:
        return TokenLogprob(candidates.token(place), math.log(float(weights[place]) / total))

    places = candidates.top_k(n)
    return PositionLogprobs(of(chosen), tuple(of(int(place)) for place in places if weights[place] > 0))
