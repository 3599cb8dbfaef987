"""The chain from a row of logits to a token."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from slots.errors import InvalidRequest
from slots.events import TokenProbabilities
from slots.llama import Logits
from slots.request import SamplingParams
from slots.sampling.penalties import LogitBias, Penalties
from slots.sampling.probabilities import probabilities
from slots.sampling.top_k import largest
from slots.sampling.truncation import keep_min_p, keep_top_p


@dataclass(frozen=True, slots=True)
class Choice:
    """A chosen token, with the model's probabilities where they were asked for."""

    token: int
    probabilities: TokenProbabilities | None


class Sampler:
    """The samplers of one request, with their state and their own random generator.

    The order is llama.cpp's: logit bias, penalties, top-k, top-p, min-p, temperature.
    """

    def __init__(
        self,
        params: SamplingParams,
        prompt: Sequence[int],
        *,
        n_ctx: int,
        newline: int | None,
        end_of_generation: Collection[int],
    ) -> None:
        self._params = params
        self._bias = LogitBias(params.logit_bias, end_of_generation if params.ignore_eos else ())
        self._penalties = Penalties(params, prompt, n_ctx, newline)
        self.seed = params.seed if params.seed >= 0 else secrets.randbits(32)
        self._random = np.random.Generator(np.random.PCG64(self.seed))

    def choose(self, row: Logits) -> Choice:
        """The next token for a row of logits, float32 of shape (vocabulary,), which is changed on the way.

        Raises InvalidRequest when the biases leave no token to choose from.
        """
        n_probs = self._params.n_probs
        untouched = row.copy() if n_probs else row
        self._bias.apply(row)
        self._penalties.apply(row)
        token = int(row.argmax()) if self._params.temperature <= 0.0 else self._draw(row)
        if row[token] == -np.inf:
            raise InvalidRequest("logit_bias", "expected a token that is not ruled out, got none")
        self._penalties.accept(token)
        return Choice(token, probabilities(untouched, token, n_probs) if n_probs else None)

    def _draw(self, row: Logits) -> int:
        params = self._params
        candidates = largest(row, params.top_k if params.top_k > 0 else row.size)
        logits = row[candidates].astype(np.float64)
        if logits[0] == -np.inf:
            return int(candidates[0])
        logits = logits[: keep_top_p(logits, params.top_p)]
        logits = logits[: keep_min_p(logits, params.min_p)]
        with np.errstate(over="ignore"):
            weights = np.exp((logits - logits[0]) / params.temperature)
        mass = np.cumsum(weights)
        drawn = int(np.searchsorted(mass, self._random.random() * mass[-1], side="right"))
        return int(candidates[min(drawn, mass.size - 1)])
