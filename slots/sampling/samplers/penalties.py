"""Penalties for tokens that were there lately."""

from collections import deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from slots.llama import Logits
from slots.requests.sampling_params import SamplingParams
from slots.sampling.logits.candidates import MAX_LOGIT, Candidates
from slots.sampling.logits.workspace import Floats64, Indices
from slots.sampling.sampler_context import LogitsProcessor, SamplerInputs


class RecentTokens:
    """The last tokens of a text and how often each occurs among them, kept up to date as the text grows."""

    def __init__(self, size: int, tokens: Sequence[int], ignored: int | None = None) -> None:
        """`size` is how many tokens are looked back upon; `ignored` is a token that takes its place among them but is
        not counted."""
        self._size = size
        self._ignored = ignored
        self._window: deque[int] = deque()
        self._counts: dict[int, int] = {}
        self._places: dict[int, int] = {}
        self._different = np.empty(64, np.intp)
        for token in tokens[max(len(tokens) - size, 0) :]:
            self.append(token)

    def append(self, token: int) -> None:
        """Take in the next token; the oldest one leaves a full window."""
        if self._size == 0:
            return
        if len(self._window) == self._size:
            self._forget(self._window.popleft())
        self._window.append(token)
        if token == self._ignored:
            return
        count = self._counts.get(token, 0)
        self._counts[token] = count + 1
        if count == 0:
            place = self._places[token] = len(self._places)
            if place == self._different.size:
                self._different = np.resize(self._different, 2 * place)
            self._different[place] = token

    def _forget(self, token: int) -> None:
        if token == self._ignored:
            return
        self._counts[token] -= 1
        if self._counts[token] == 0:
            del self._counts[token]
            last = int(self._different[len(self._places) - 1])
            place = self._places[last] = self._places[token]
            self._different[place] = last
            del self._places[token]

    def distinct(self) -> npt.NDArray[np.intp]:
        """The different tokens, shape (different tokens,), in no order. A view, which the next token changes."""
        return self._different[: len(self._places)]

    def counts(self) -> npt.NDArray[np.float64]:
        """How often each of the different tokens occurs, in their order."""
        tokens = self.distinct().tolist()
        return np.fromiter(map(self._counts.__getitem__, tokens), np.float64, len(tokens))


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
        self.max_lowered = size if only_lowers else None
        """Tokens whose logits it lowers, at most; None if it may raise one."""
        self.recent = RecentTokens(size, prompt, None if params.penalize_nl else newline)
        self.accept = self.recent.append
        """Takes in a token that was chosen."""

    @property
    def is_counting(self) -> bool:
        """Whether it does more than to multiply."""
        return self.frequency != 0 or self.presence != 0

    def __call__(self, candidates: Candidates) -> None:
        places, which = candidates.find(self.recent.distinct().copy())
        logits = candidates.logits[places]
        penalized: Floats64 = np.where(logits <= 0, self.repeat, 1 / self.repeat) * logits
        if self.is_counting:
            penalized -= self.recent.counts()[which] * self.frequency + self.presence
        candidates.set_logits_at(places, penalized)


class BatchedPenalties:
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
        tokens = [recent.distinct() for recent in self._recent]
        return np.repeat(self._numbers, [of.size for of in tokens]), np.concatenate(tokens)

    def apply(self, flat: Logits, places: Indices, numbers: Indices) -> None:
        """Change logits, shape (logits,): those at `places`, of the recent tokens in their order, which belong to the
        rows with these `numbers`. Both are of shape (tokens,)."""
        found = flat.take(places)
        penalized = np.where(found <= 0, self._repeat[numbers], self._inverse[numbers]) * found
        if self._are_counting:
            counts = np.concatenate([recent.counts() for recent in self._recent])
            penalized -= counts * self._frequency[numbers] + self._presence[numbers]
        flat[places] = np.minimum(penalized, MAX_LOGIT)

    def apply_to_rows(self, logits: Logits, rows: Indices) -> None:
        """Change some rows of the logits; `rows` are the places of all rows, shape (rows,)."""
        flat = logits.view()
        flat.shape = (logits.size,)  # which fails, instead of copying, where rows do not follow each other
        numbers, tokens = self.recent()
        self.apply(flat, (rows * logits.shape[1])[numbers] + tokens, numbers)


def make_penalties(inputs: SamplerInputs) -> LogitsProcessor | None:
    """Returns the penalties of a request; None where they are neutral."""
    params = inputs.params
    is_neutral = (params.repeat_penalty, params.presence_penalty, params.frequency_penalty) == (1.0, 0.0, 0.0)
    if is_neutral or params.repeat_last_n == 0:
        return None
    return Penalties(params, inputs.prompt, inputs.context.n_ctx, inputs.context.newline)
