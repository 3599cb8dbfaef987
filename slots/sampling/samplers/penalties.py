"""Penalties for tokens that were there lately."""

from collections.abc import Sequence

import numpy as np

from slots.llama import Logits
from slots.requests.sampling_params import SamplingParams
from slots.sampling.ingredients import Ingredients, Step
from slots.sampling.logits.candidates import LARGEST_LOGIT, Candidates
from slots.sampling.logits.workspace import Floats64, Indices
from slots.sampling.recent_tokens import RecentTokens


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
        self.accept = self.recent.append
        """Takes in a token that was chosen."""

    @property
    def is_counting(self) -> bool:
        """Whether it does more than to multiply."""
        return self.frequency != 0 or self.presence != 0

    def __call__(self, candidates: Candidates) -> None:
        places, which = candidates.find(self.recent.different().copy())
        logits = candidates.logits[places]
        penalized: Floats64 = np.where(logits <= 0, self.repeat, 1 / self.repeat) * logits
        if self.is_counting:
            penalized -= self.recent.counts()[which] * self.frequency + self.presence
        candidates.change(places, penalized)


class PenaltiesOfRows:
    """The penalties of several rows, side by side. A row may have none."""

    def __init__(self, penalties: Sequence[Penalties | None]) -> None:
        numbers = [number for number, penalty in enumerate(penalties) if penalty]
        there = [penalty for penalty in penalties if penalty]

        def by_row(values: Sequence[float]) -> Floats64:
            of_rows = np.ones(len(penalties))
            of_rows[numbers] = values
            return of_rows

        self._numbers: Indices = np.array(numbers, np.intp)
        self._recent = [penalty.recent for penalty in there]
        self._repeat = by_row([penalty.repeat for penalty in there])
        self._inverse = 1 / self._repeat
        self._frequency = by_row([penalty.frequency for penalty in there])
        self._presence = by_row([penalty.presence for penalty in there])
        self._are_counting = any(penalty.is_counting for penalty in there)

    def __bool__(self) -> bool:
        return bool(self._recent)

    def recent(self) -> tuple[Indices, Indices]:
        """The tokens that are penalized, row by row; there has to be a row with penalties. Returns the numbers of
        their rows, and the tokens; both of shape (tokens,)."""
        tokens = [recent.different() for recent in self._recent]
        return np.repeat(self._numbers, [of.size for of in tokens]), np.concatenate(tokens)

    def apply(self, flat: Logits, places: Indices, numbers: Indices) -> None:
        """Change logits, shape (logits,): those at `places`, of the recent tokens in their order, which belong to the
        rows with these `numbers`. Both are of shape (tokens,)."""
        found = flat.take(places)
        penalized = np.where(found <= 0, self._repeat[numbers], self._inverse[numbers]) * found
        if self._are_counting:
            counts = np.concatenate([recent.counts() for recent in self._recent])
            penalized -= counts * self._frequency[numbers] + self._presence[numbers]
        flat[places] = np.minimum(penalized, LARGEST_LOGIT)

    def apply_to_rows(self, logits: Logits, rows: Indices) -> None:
        """Change some rows of the logits; `rows` are the places of all rows, shape (rows,)."""
        flat = logits.view()
        flat.shape = (logits.size,)  # which fails, instead of copying, where rows do not follow each other
        numbers, tokens = self.recent()
        self.apply(flat, (rows * logits.shape[1])[numbers] + tokens, numbers)


def make_penalties(of: Ingredients) -> Step | None:
    """Returns the penalties of a request; None where they are neutral."""
    params = of.params
    is_neutral = (params.repeat_penalty, params.presence_penalty, params.frequency_penalty) == (1.0, 0.0, 0.0)
    if is_neutral or params.repeat_last_n == 0:
        return None
    return Penalties(params, of.prompt, of.surroundings.n_ctx, of.surroundings.newline)
