"""Penalties for tokens that were there lately."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from slots.sampling.candidates import Candidates
from slots.sampling.recent_tokens import RecentTokens
from slots.sampling_params import SamplingParams


class Penalties:
    """Repetition penalty (Keskar et al., CTRL, 2019), frequency and presence penalty (OpenAI's definition).

    As in llama.cpp, a positive logit is divided by the repetition penalty and another one multiplied with it: the
    paper only divides, which would make tokens with negative logits more likely.
    """

    def __init__(self, params: SamplingParams, prompt: Sequence[int], n_ctx: int, newline: int | None) -> None:
        """`newline` is the token that is left alone unless the options say otherwise."""
        self._repeat = params.repeat_penalty
        self._frequency = params.frequency_penalty
        self._presence = params.presence_penalty
        size = n_ctx if params.repeat_last_n < 0 else params.repeat_last_n
        self._recent = RecentTokens(size, prompt, None if params.penalize_nl else newline)

    def accept(self, token: int) -> None:
        """Take in a token that was chosen."""
        self._recent.append(token)

    def __call__(self, candidates: Candidates) -> None:
        tokens, counts = self._recent.counts()
        places, which = candidates.find(tokens.copy())
        logits = candidates.logits[places]
        penalized: npt.NDArray[np.float64] = np.where(logits <= 0, self._repeat, 1 / self._repeat) * logits
        if self._frequency != 0 or self._presence != 0:
            penalized -= counts[which] * self._frequency + self._presence
        candidates.change(places, penalized)
