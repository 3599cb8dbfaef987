"""DRY sampler ("don't repeat yourself"): penalizes tokens that would continue a repetition."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from slots.requests.sampling_params import SamplingParams
from slots.sampling.logits.candidates import MAX_LOGIT, Candidates
from slots.sampling.logits.workspace import Indices
from slots.sampling.sampler_context import LogitsProcessor, SamplerInputs
from slots.sampling.sequence_breakers import SequenceBreakers

_LOG_OF_MAX_FLOAT32 = 88.7228391
_MIN_LIMITED_BASE = 1.000001
_NO_TOKEN = -1


class Dry:
    """DRY (p-e-w, text-generation-webui, 2024): lowers the logit of a token that would continue a repetition of the
    last tokens by multiplier * base ** (length of the repetition - allowed length).

    As in llama.cpp, the exponent is limited to what a 32-bit float can hold, and a token that is a sequence breaker by
    itself is never penalized.
    """

    def __init__(self, params: SamplingParams, prompt: Sequence[int], n_ctx: int, breakers: SequenceBreakers) -> None:
        self._multiplier = params.dry_multiplier
        self._base = params.dry_base
        self._allowed_length = params.dry_allowed_length
        self._breakers = breakers
        size = n_ctx if params.dry_penalty_last_n < 0 else min(params.dry_penalty_last_n, n_ctx)
        self.max_lowered = size
        self._repeats = _RepeatLengths(size, prompt)
        self._last_breaker = _LastBreaker(breakers, prompt[max(len(prompt) - size, 0) :])

    def accept(self, token: int) -> None:
        self._repeats.append(token)
        self._last_breaker.append(token)

    def __call__(self, candidates: Candidates) -> None:
        n = len(self._repeats)
        limit = self._last_breaker.n_tokens_since(n)
        if n <= self._allowed_length or limit < self._allowed_length:
            return
        lengths = self._repeats.continuations(self._allowed_length, limit)
        penalized = [token for token in lengths if not self._breakers.is_breaker(token)]
        if not penalized:
            return
        indices, which = candidates.find(np.array(penalized))
        penalties = self._penalties(np.array([lengths[token] for token in penalized]))
        candidates.set_logits_at(indices, candidates.logits[indices] - penalties[which])

    def _penalties(self, lengths: Indices) -> npt.NDArray[np.float64]:
        exponents = lengths - self._allowed_length
        if self._base > _MIN_LIMITED_BASE:
            exponents = np.minimum(exponents, int(_LOG_OF_MAX_FLOAT32 / math.log(self._base)))
        return np.minimum(self._multiplier * np.power(self._base, exponents), MAX_LOGIT)


class _RepeatLengths:
    """For each position in a window of the last tokens: how many tokens up to it equal those at the end.

    A new token lengthens the repetitions that it continues and ends all others: one numpy pass over the window.
    """

    def __init__(self, size: int, tokens: Sequence[int]) -> None:
        window = tokens[max(len(tokens) - size, 0) :]
        self._n_tokens = len(window)
        padding = [_NO_TOKEN] * (size - self._n_tokens)
        self._tokens = np.array([*padding, *window], np.int32)
        self._lengths = np.array([*([0] * len(padding)), *_suffix_repeats(window)], np.int32)

    def __len__(self) -> int:
        return self._n_tokens

    def append(self, token: int) -> None:
        lengths, tokens = self._lengths, self._tokens
        continued = lengths[:-1]
        np.add(continued, 1, out=continued)
        np.multiply(continued, tokens[1:] == token, out=continued)
        lengths[-1] = 0
        tokens[:-1] = tokens[1:]
        tokens[-1] = token
        self._n_tokens = min(self._n_tokens + 1, tokens.size)

    def continuations(self, min_length: int, max_length: int) -> dict[int, int]:
        """Return the tokens that follow repetitions of at least `min_length` tokens, each with the length of its
        longest one, clipped to `max_length`."""
        start = self._tokens.size - self._n_tokens
        tokens, lengths = self._tokens[start:], self._lengths[start:]
        ends = (lengths[:-1] >= min_length).nonzero()[0]
        if ends.size == 0:
            return {}
        # Tokens before the window do not count.
        lengths = np.minimum(np.minimum(lengths[ends], ends + 1), max_length)
        by_length = lengths.argsort(kind="stable")
        by_length = by_length[lengths[by_length] >= min_length]
        # Of a token that occurs several times, the dict keeps the last length, which is the largest.
        return dict(zip(tokens[ends[by_length] + 1].tolist(), lengths[by_length].tolist(), strict=True))


def _suffix_repeats(tokens: Sequence[int]) -> list[int]:
    """For each position, how many tokens up to it equal those at the end; 0 for the last position.

    The Z algorithm (Gusfield, 1997) from the end, linear in time.
    """
    text = list(reversed(tokens))
    n = len(text)
    repeats = [0] * n
    start = end = 0
    for position in range(1, n):
        length = min(repeats[position - start], end - position) if position < end else 0
        while position + length < n and text[length] == text[position + length]:
            length += 1
        repeats[position] = length
        if position + length > end:
            start, end = position, position + length
    return repeats[::-1]


class _LastBreaker:
    """The position of a text's last sequence breaker: the one that starts last, and the longest of those, as in
    llama.cpp."""

    def __init__(self, breakers: SequenceBreakers, tokens: Sequence[int]) -> None:
        self._breakers = breakers
        self._recent = list(tokens[max(len(tokens) - breakers.max_suffix_length, 0) :])
        self._n_since_start = self._n_since_end = len(tokens)
        for start in range(len(tokens) - 1, -1, -1):
            suffix_length = breakers.suffix_length_at(tokens, start)
            if suffix_length is not None:
                self._n_since_start = len(tokens) - 1 - start
                self._n_since_end = self._n_since_start - suffix_length
                break

    def append(self, token: int) -> None:
        self._recent.append(token)
        del self._recent[: len(self._recent) - 1 - self._breakers.max_suffix_length]
        self._n_since_start += 1
        self._n_since_end += 1
        for suffix_length in range(min(len(self._recent), self._n_since_start + 1)):
            start = len(self._recent) - 1 - suffix_length
            if self._breakers.matches(self._recent[start], tuple(self._recent[start + 1 :])):
                self._n_since_start, self._n_since_end = suffix_length, 0
                break

    def n_tokens_since(self, window: int) -> int:
        """How many of the last `window` tokens follow a breaker that starts among them; all if there is none."""
        return self._n_since_end if self._n_since_start < window else window


def make_dry(inputs: SamplerInputs) -> LogitsProcessor:
    params = inputs.params
    breakers = inputs.context.find_sequence_breakers(params.dry_sequence_breakers)
    return Dry(params, inputs.prompt, inputs.context.n_ctx, breakers)
