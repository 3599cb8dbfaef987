"""How likely tokens are, as the model gives it and as the samplers leave it."""

import math

from slots.requests.events import PositionLogprobs, TokenLogprob
from slots.sampling.logits.candidates import Candidates


class ModelProbabilities:
    """The probabilities of a whole row, softmax over the vocabulary, before any sampler."""

    def __init__(self, candidates: Candidates, n: int) -> None:
        """To be made before the first sampler; `n` is how many of the most likely tokens are of interest."""
        self._candidates = candidates
        self._log_total = candidates.peak() + math.log(candidates.softmax().total())
        logits = candidates.logits
        self._top = tuple(self._of(int(token), float(logits[token])) for token in candidates.largest(n))

    def with_chosen(self, token: int) -> PositionLogprobs:
        """The most likely tokens, and the one that the samplers led to."""
        return PositionLogprobs(self._of(token, self._candidates.original(token)), self._top)

    def _of(self, token: int, logit: float) -> TokenLogprob:
        return TokenLogprob(token, logit - self._log_total)


def remaining_probabilities(candidates: Candidates, chosen: int, n: int) -> PositionLogprobs:
    """The `n` most likely of the candidates that the samplers left, or as many as are possible at all.

    `chosen` is the place of the chosen one.
    """
    softmax = candidates.softmax()
    weights, total = softmax.weights, softmax.total()

    def of(place: int) -> TokenLogprob:
        return TokenLogprob(candidates.token(place), math.log(float(weights[place]) / total))

    places = candidates.largest(n)
    return PositionLogprobs(of(chosen), tuple(of(int(place)) for place in places if weights[place] > 0))
