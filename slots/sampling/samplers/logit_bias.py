"""Logit bias: adds to the logits of certain tokens."""

from collections.abc import Iterable

import numpy as np

from slots.sampling.logits.candidates import Candidates


class LogitBias:
    """Adds biases to logits; -inf bans a token, whatever else is added to its logit."""

    def __init__(self, biases: Iterable[tuple[int, float]], banned: Iterable[int]) -> None:
        total: dict[int, float] = {}
        for token, bias in biases:
            total[token] = total.get(token, 0.0) + bias
        total.update((token, -np.inf) for token in banned)
        self.tokens = np.fromiter(total.keys(), np.intp, len(total))
        self.biases = np.fromiter(total.values(), np.float64, len(total))
        self.max_lowered = len(total) if all(bias <= 0 for bias in total.values()) else None

    def __call__(self, candidates: Candidates) -> None:
        indices, which = candidates.find(self.tokens)
        candidates.set_logits_at(indices, candidates.logits[indices] + self.biases[which])
