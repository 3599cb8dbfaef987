"""Repetition, frequency and presence penalties for recent tokens."""

from array import array
from collections import deque
from collections.abc import Sequence

import numpy as np

from slots.requests.sampling_params import SamplingParams
from slots.sampling.logits.candidates import Candidates
from slots.sampling.logits.workspace import Floats64
from slots.sampling.sampler_context import LogitsProcessor, SamplerInputs


class RecentTokens:
    """A window of the last tokens and how often each occurs in it, updated with every token."""

    def __init__(self, size: int, tokens: Sequence[int], ignored: int | None = None) -> None:
        """`ignored` is a token that takes space in the window but is not counted."""
        self.tokens = array("i")
        """The distinct ones, unordered."""
        self.counts = array("i")
        """How often each of them occurs."""
        self._size = size
        self._ignored = ignored
        self._window: deque[int] = deque()
        self._indices: dict[int, int] = {}
        """Of the distinct tokens."""
        for token in tokens[max(len(tokens) - size, 0) :]:
            self.append(token)

    def append(self, token: int) -> None:
        """Add the next token; the oldest one leaves a full window."""
        if self._size == 0:
            return
        if len(self._window) == self._size:
            self._remove(self._window.popleft())
        self._window.append(token)
        if token == self._ignored:
            return
        n = len(self.tokens)
        index = self._indices.setdefault(token, n)
        if index == n:
            self.tokens.append(token)
            self.counts.append(1)
        else:
            self.counts[index] += 1

    def _remove(self, token: int) -> None:
        if token == self._ignored:
            return
        index = self._indices[token]
        self.counts[index] -= 1
        if self.counts[index] == 0:
            del self._indices[token]
            last, count = self.tokens.pop(), self.counts.pop()
            if last != token:
                self._indices[last] = index
                self.tokens[index], self.counts[index] = last, count


class Penalties:
    """Repetition penalty (Keskar et al., CTRL, 2019), frequency and presence penalty (OpenAI's definition).

    As in llama.cpp, positive logits are divided by the repetition penalty and others multiplied with it: the paper
    only divides, which would make tokens with negative logits more likely.
    """

    def __init__(self, params: SamplingParams, prompt: Sequence[int], n_ctx: int, newline: int | None) -> None:
        """`newline` is the token that is exempt unless the options say otherwise."""
        self.repeat = params.repeat_penalty
        self.frequency = params.frequency_penalty
        self.presence = params.presence_penalty
        size = n_ctx if params.repeat_last_n < 0 else params.repeat_last_n
        only_lowers = self.repeat >= 1 and self.frequency >= 0 and self.presence >= 0
        self.max_lowered = size if only_lowers else None
        self.recent = RecentTokens(size, prompt, None if params.penalize_nl else newline)
        self.accept = self.recent.append

    def __call__(self, candidates: Candidates) -> None:
        indices, which = candidates.find(np.array(self.recent.tokens, np.intp))
        logits = candidates.logits[indices]
        penalized: Floats64 = np.where(logits <= 0, self.repeat, 1 / self.repeat) * logits
        penalized -= np.array(self.recent.counts)[which] * self.frequency + self.presence
        candidates.set_logits_at(indices, penalized)


def make_penalties(inputs: SamplerInputs) -> LogitsProcessor:
    return Penalties(inputs.params, inputs.prompt, inputs.context.n_ctx, inputs.context.newline)
