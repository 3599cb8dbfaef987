"""Penalties for tokens that were seen lately, and biases for tokens of one's choice."""

from collections import Counter, deque
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from slots.llama import Logits
from slots.request import SamplingParams

_LARGEST_LOGIT = np.float64(1e30)
"""Keeps extreme penalties and biases from turning into infinities, on which a softmax is undefined."""


class RecentTokens:
    """The last tokens of a text and how often each occurs among them."""

    def __init__(self, size: int, tokens: Iterable[int]) -> None:
        """`size` is how many tokens are looked back upon."""
        self._window = deque(tokens, maxlen=size)
        self._counts = Counter(self._window)

    def append(self, token: int) -> None:
        """Take in the next token; the oldest one leaves a full window."""
        if self._window.maxlen == 0:
            return
        if len(self._window) == self._window.maxlen:
            oldest = self._window[0]
            self._counts[oldest] -= 1
            if self._counts[oldest] == 0:
                del self._counts[oldest]
        self._window.append(token)
        self._counts[token] += 1

    def counts(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
        """The different tokens and the number of times that each occurs, both of shape (different tokens,)."""
        n = len(self._counts)
        return np.fromiter(self._counts.keys(), np.intp, n), np.fromiter(self._counts.values(), np.float64, n)


class Penalties:
    """Repetition penalty (Keskar et al., CTRL, 2019), frequency and presence penalty (OpenAI's definition).

    As in llama.cpp, a positive logit is divided by the repetition penalty and another one multiplied with it.
    """

    def __init__(self, params: SamplingParams, prompt: Iterable[int], n_ctx: int, newline: int | None) -> None:
        self._params = params
        self._newline = None if params.penalize_nl else newline
        size = n_ctx if params.repeat_last_n < 0 else params.repeat_last_n
        changes_something = (
            params.repeat_penalty != 1.0 or params.presence_penalty != 0.0 or params.frequency_penalty != 0.0
        )
        self._recent = RecentTokens(size if changes_something else 0, prompt)

    def accept(self, token: int) -> None:
        """Take in a token that was chosen."""
        self._recent.append(token)

    def apply(self, row: Logits) -> None:
        """Penalize the recent tokens in a row of logits, in place."""
        tokens, counts = self._recent.counts()
        if self._newline is not None:
            others = tokens != self._newline
            tokens, counts = tokens[others], counts[others]
        if tokens.size == 0:
            return
        params = self._params
        logits = row[tokens].astype(np.float64)
        logits = np.where(logits <= 0, logits * params.repeat_penalty, logits / params.repeat_penalty)
        logits -= counts * params.frequency_penalty + params.presence_penalty
        row[tokens] = np.minimum(logits, _LARGEST_LOGIT)


class LogitBias:
    """What is added to the logits of chosen tokens; -inf rules a token out."""

    def __init__(self, biases: Iterable[tuple[int, float]], ruled_out: Iterable[int]) -> None:
        total: dict[int, float] = {}
        for token, bias in biases:
            total[token] = total.get(token, 0.0) + bias
        total.update((token, -np.inf) for token in ruled_out)
        self._tokens = np.fromiter(total.keys(), np.intp, len(total))
        self._biases = np.fromiter(total.values(), np.float64, len(total))

    def apply(self, row: Logits) -> None:
        """Add the biases to a row of logits, in place."""
        if self._tokens.size:
            row[self._tokens] = np.minimum(row[self._tokens] + self._biases, _LARGEST_LOGIT)
