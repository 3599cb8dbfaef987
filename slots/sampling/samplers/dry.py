"""DRY: don't repeat yourself."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from slots.requests.sampling_params import SamplingParams
from slots.sampling.logits.candidates import MAX_LOGIT, Candidates
from slots.sampling.logits.workspace import Indices
from slots.sampling.sampler_context import LogitsProcessor, SamplerInputs
from slots.sampling.sequence_breakers import SequenceBreakers

_LOG_OF_LARGEST_FLOAT = 88.7228391
_NEARLY_ONE = 1.000001
_NO_TOKEN = -1


class Dry:
    """DRY (p-e-w, text-generation-webui, 2024): a token that would continue a repetition of the last tokens is made
    less likely, the more the longer the repetition is already.

    As in llama.cpp, the exponent is limited to what a float of 32 bits can hold, and a token that interrupts
    repetitions by itself is never penalized.
    """

    def __init__(self, params: SamplingParams, prompt: Sequence[int], n_ctx: int, breakers: SequenceBreakers) -> None:
        self._multiplier = params.dry_multiplier
        self._base = params.dry_base
        self._allowed = params.dry_allowed_length
        self._breakers = breakers
        size = n_ctx if params.dry_penalty_last_n < 0 else min(params.dry_penalty_last_n, n_ctx)
        self.max_lowered = size
        """Tokens whose logits it lowers, at most."""
        self._repeats = _Repeats(size, prompt)
        self._interruption = _Interruption(breakers, prompt[max(len(prompt) - size, 0) :])

    def accept(self, token: int) -> None:
        """Take in a token that was chosen."""
        self._repeats.append(token)
        self._interruption.append(token)

    def __call__(self, candidates: Candidates) -> None:
        n = len(self._repeats)
        limit = self._interruption.n_since(n)
        if n <= self._allowed or limit < self._allowed:
            return
        longest = self._repeats.continuations(self._allowed, limit)
        penalized = [token for token in longest if not self._breakers.is_breaker(token)]
        if not penalized:
            return
        places, which = candidates.find(np.array(penalized))
        penalties = self._penalties(np.array([longest[token] for token in penalized]))
        candidates.set_logits_at(places, candidates.logits[places] - penalties[which])

    def _penalties(self, lengths: Indices) -> npt.NDArray[np.float64]:
        exponents = lengths - self._allowed
        if self._base > _NEARLY_ONE:
            exponents = np.minimum(exponents, int(_LOG_OF_LARGEST_FLOAT / math.log(self._base)))
        return np.minimum(self._multiplier * np.power(self._base, exponents), MAX_LOGIT)


class _Repeats:
    """For each place in the last tokens of a text, how many tokens up to it are the same as those at the end.

    A new token continues the repetitions of which it is the next token and ends all others, which makes one pass over
    the window for each token, in numpy.
    """

    def __init__(self, size: int, tokens: Sequence[int]) -> None:
        window = tokens[max(len(tokens) - size, 0) :]
        self._n_tokens = len(window)
        missing = [_NO_TOKEN] * (size - self._n_tokens)
        self._tokens = np.array([*missing, *window], np.int32)
        self._lengths = np.array([*([0] * len(missing)), *_suffix_repeats(window)], np.int32)

    def __len__(self) -> int:
        return self._n_tokens

    def append(self, token: int) -> None:
        """Take in the next token."""
        lengths, tokens = self._lengths, self._tokens
        continued = lengths[:-1]
        np.add(continued, 1, out=continued)
        np.multiply(continued, tokens[1:] == token, out=continued)
        lengths[-1] = 0
        tokens[:-1] = tokens[1:]
        tokens[-1] = token
        self._n_tokens = min(self._n_tokens + 1, tokens.size)

    def continuations(self, least: int, most: int) -> dict[int, int]:
        """The tokens that follow repetitions of `least` tokens and more, with the length of the longest one for each,
        which counts as no more than `most`."""
        start = self._tokens.size - self._n_tokens
        tokens, lengths = self._tokens[start:], self._lengths[start:]
        ends = (lengths[:-1] >= least).nonzero()[0]
        if ends.size == 0:
            return {}
        # Nothing before the window counts as repeated.
        lengths = np.minimum(np.minimum(lengths[ends], ends + 1), most)
        by_length = lengths.argsort(kind="stable")
        by_length = by_length[lengths[by_length] >= least]
        # Of a token that is there several times the last one stays, which is the longest.
        return dict(zip(tokens[ends[by_length] + 1].tolist(), lengths[by_length].tolist(), strict=True))


def _suffix_repeats(tokens: Sequence[int]) -> list[int]:
    """For each place, how many tokens up to it are the same as those at the end; 0 for the last place itself.

    The Z algorithm (Gusfield, 1997) from the end, linear in time.
    """
    text = list(reversed(tokens))
    n = len(text)
    repeats = [0] * n
    start = end = 0
    for place in range(1, n):
        length = min(repeats[place - start], end - place) if place < end else 0
        while place + length < n and text[length] == text[place + length]:
            length += 1
        repeats[place] = length
        if place + length > end:
            start, end = place, place + length
    return repeats[::-1]


class _Interruption:
    """The sequence breaker that interrupted a text last: of several the one that begins last, and of those that begin
    together the longest one, as in llama.cpp."""

    def __init__(self, breakers: SequenceBreakers, tokens: Sequence[int]) -> None:
        self._breakers = breakers
        self._recent = list(tokens[max(len(tokens) - breakers.max_suffix_length, 0) :])
        self._n_since_start = self._n_since_end = len(tokens)
        for start in range(len(tokens) - 1, -1, -1):
            n_tail = breakers.suffix_length_at(tokens, start)
            if n_tail is not None:
                self._n_since_start = len(tokens) - 1 - start
                self._n_since_end = self._n_since_start - n_tail
                break

    def append(self, token: int) -> None:
        """Take in the next token."""
        self._recent.append(token)
        del self._recent[: len(self._recent) - 1 - self._breakers.max_suffix_length]
        self._n_since_start += 1
        self._n_since_end += 1
        for n_tail in range(min(len(self._recent), self._n_since_start + 1)):
            start = len(self._recent) - 1 - n_tail
            if self._breakers.matches(self._recent[start], tuple(self._recent[start + 1 :])):
                self._n_since_start, self._n_since_end = n_tail, 0
                break

    def n_since(self, window: int) -> int:
        """How many of the last `window` tokens come after a breaker that begins among them; all if there is none."""
        return self._n_since_end if self._n_since_start < window else window


def make_dry(inputs: SamplerInputs) -> LogitsProcessor | None:
    """Returns the sampler of a request; None where its multiplier or its window is 0."""
    params = inputs.params
    if params.dry_multiplier == 0.0 or params.dry_penalty_last_n == 0:
        return None
    breakers = inputs.context.find_sequence_breakers(params.dry_sequence_breakers)
    return Dry(params, inputs.prompt, inputs.context.n_ctx, breakers)
