"""What is added to the logits of chosen tokens."""

from collections.abc import Iterable

import numpy as np

from slots.sampling.logits.candidates import Candidates
from slots.sampling.sampler_context import LogitsProcessor, SamplerInputs

_FEW = 16
"""Tokens up to which numbers one by one are faster than arrays of them."""


class LogitBias:
    """Adds to the logits of some tokens; -inf rules a token out, whatever else is added to it."""

    def __init__(self, biases: Iterable[tuple[int, float]], banned: Iterable[int]) -> None:
        total: dict[int, float] = {}
        for token, bias in biases:
            total[token] = total.get(token, 0.0) + bias
        total.update((token, -np.inf) for token in banned)
        self._few = tuple(total.items()) if len(total) <= _FEW else ()
        self._tokens = np.fromiter(total.keys(), np.intp, len(total))
        self._biases = np.fromiter(total.values(), np.float64, len(total))
        self.max_lowered = len(total) if all(bias <= 0 for bias in total.values()) else None
        """Tokens whose logits it lowers, at most; None if it raises one."""

    def __call__(self, candidates: Candidates) -> None:
        if self._few and candidates.ids is None:
            candidates.add_to_logits(self._few)
            return
        places, which = candidates.find(self._tokens)
        candidates.set_logits_at(places, candidates.logits[places] + self._biases[which])


def make_logit_bias(inputs: SamplerInputs) -> LogitsProcessor | None:
    """Returns what adds the biases of a request and rules tokens out; None where there is nothing to do."""
    ruled_out = inputs.banned_tokens()
    return LogitBias(inputs.params.logit_bias, ruled_out) if inputs.params.logit_bias or ruled_out else None
