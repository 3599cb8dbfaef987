"""Logprobs of tokens: as the model gives them, and as the samplers leave them."""

import math

from slots.requests.events import PositionLogprobs, TokenLogprob
from slots.sampling.logits.candidates import Candidates


class ModelLogprobs:
    """Log-softmax of a full row over the vocabulary, before any sampler."""

    def __init__(self, candidates: Candidates, n: int) -> None:
        self._candidates = candidates
        self._log_total = candidates.max_logit() + math.log(candidates.softmax().total())
        logits = candidates.logits
        self._top = tuple(self._token_logprob(int(token), float(logits[token])) for token in candidates.top_k(n))

    def for_token(self, token: int) -> PositionLogprobs:
        return PositionLogprobs(self._token_logprob(token, self._candidates.raw_logit(token)), self._top)

    def _token_logprob(self, token: int, logit: float) -> TokenLogprob:
        return TokenLogprob(token, logit - self._log_total)


def sampled_logprobs(candidates: Candidates, sampled: int, n: int) -> PositionLogprobs:
    """Logprobs of the sampled candidate, given by its index, and of the `n` most likely remaining candidates; fewer if
    fewer have a probability above 0."""
    softmax = candidates.softmax()
    weights, total = softmax.weights, softmax.total()

    def token_logprob(index: int) -> TokenLogprob:
        return TokenLogprob(candidates.token(index), math.log(float(weights[index]) / total))

    top = candidates.top_k(n)
    return PositionLogprobs(
        token_logprob(sampled), tuple(token_logprob(int(index)) for index in top if weights[index] > 0)
    )
