"""How likely the model itself finds tokens, before any sampler."""

import numpy as np

from slots.events import TokenProbabilities, TokenProbability
from slots.llama import Logits
from slots.sampling.top_k import largest


def probabilities(row: Logits, chosen: int, n: int) -> TokenProbabilities:
    """The log probability of the chosen token and of the `n` most likely ones: softmax over the whole row."""
    peak = np.float64(row.max())
    log_total = peak + np.log(np.exp(row - peak, dtype=np.float64).sum())

    def of(token: int) -> TokenProbability:
        return TokenProbability(token, float(row[token] - log_total))

    return TokenProbabilities(of(chosen), tuple(of(int(token)) for token in largest(row, n)))
