"""Penalties for tokens that were there lately."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from slots.llama import Logits
from slots.sampling.candidates import LARGEST_LOGIT, Candidates
from slots.sampling.columns import Indices
from slots.sampling.ingredients import Ingredients, Step
from slots.sampling.recent_tokens import RecentTokens
from slots.sampling_params import SamplingParams


class Penalties:
    """Repetition penalty (Keskar et al., CTRL, 2019), frequency and presence penalty (OpenAI's definition).

    As in llama.cpp, a positive logit is divided by the repetition penalty and another one multiplied with it: the
    paper only divides, which would make tokens with negative logits more likely.
    """

    def __init__(self, params: SamplingParams, prompt: Sequence[int], n_ctx: int, newline: int | None) -> None:
        """`newline` is the token that is left alone unless the options say otherwise."""
        self.repeat = params.repeat_penalty
        self.frequency = params.frequency_penalty
        self.presence = params.presence_penalty
        size = n_ctx if params.repeat_last_n < 0 else params.repeat_last_n
        only_lowers = self.repeat >= 1 and self.frequency >= 0 and self.presence >= 0
        self.most_lowered = size if only_lowers else None
        """Tokens whose logits it lowers, at most; None if it may raise one."""
        self.recent = RecentTokens(size, prompt, None if params.penalize_nl else newline)

    def accept(self, token: int) -> None:
        """Take in a token that was chosen."""
        self.recent.append(token)

    @property
    def is_counting(self) -> bool:
        """Whether it does more than to multiply."""
        return self.frequency != 0 or self.presence != 0

    def __call__(self, candidates: Candidates) -> None:
        places, which = candidates.find(self.recent.different().copy())
        logits = candidates.logits[places]
        penalized: npt.NDArray[np.float64] = np.where(logits <= 0, self.repeat, 1 / self.repeat) * logits
        if self.is_counting:
            penalized -= self.recent.counts()[which] * self.frequency + self.presence
        candidates.change(places, penalized)


def penalize_rows(penalties: Sequence[Penalties], logits: Logits, rows: Indices) -> None:
    """What several penalties do, each to one of some rows of the logits, which are changed; `rows` are their places,
    shape (penalties,)."""
    tokens = [penalty.recent.different() for penalty in penalties]
    flat = logits.view()
    flat.shape = (logits.size,)  # which fails, instead of copying, where rows do not follow each other
    starts = np.repeat(rows * logits.shape[1], [different.size for different in tokens])
    penalize(penalties, flat, starts + np.concatenate(tokens))


def penalize(penalties: Sequence[Penalties], flat: Logits, places: Indices) -> None:
    """What several penalties do to logits, shape (logits,). The different recent tokens of one penalty after the other
    are at `places`, shape (tokens,)."""
    sizes = [penalty.recent.different().size for penalty in penalties]

    def for_each_token(values: Sequence[float]) -> npt.NDArray[np.float64]:
        return np.repeat(np.array(values, np.float64), sizes)

    found = flat.take(places)
    repeat = for_each_token([penalty.repeat for penalty in penalties])
    penalized = np.where(found <= 0, repeat, 1 / repeat) * found
    if any(penalty.is_counting for penalty in penalties):
        frequency = for_each_token([penalty.frequency for penalty in penalties])
        counts = np.concatenate([penalty.recent.counts() for penalty in penalties])
        penalized -= counts * frequency + for_each_token([penalty.presence for penalty in penalties])
    flat[places] = np.minimum(penalized, LARGEST_LOGIT)


def make_penalties(of: Ingredients) -> Step | None:
    params = of.params
    is_neutral = (params.repeat_penalty, params.presence_penalty, params.frequency_penalty) == (1.0, 0.0, 0.0)
    if is_neutral or params.repeat_last_n == 0:
        return None
    return Penalties(params, of.prompt, of.surroundings.n_ctx, of.surroundings.newline)
