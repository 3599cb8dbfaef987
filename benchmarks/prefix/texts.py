"""Compares texts after a prefix from the cache with texts after the same prefix computed again."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

from benchmarks.harness.client import Answer
from benchmarks.harness.llama_client import Endpoint

_N_PROBS = 10

Logprobs = dict[int, float]
"""Of the most likely tokens, by token."""

LogprobGap = Callable[[list[int], int, int], float]
"""Returns the difference between the log probabilities of two tokens after a prompt."""


@dataclass(frozen=True)
class Tolerance:
    """Maximum differences of log probabilities. Sums are rounded differently in batches of different shapes."""

    gap: float
    """Between the first two tokens that differ."""
    shift: float
    """Between the same first token with and without the cache."""


@dataclass(frozen=True)
class TextComparison:
    """An answer with the cache compared with the one without."""

    gap: float | None
    """Between the first two tokens that differ, infinite if one text ends there; None if the texts are the same."""
    shift: float
    """The largest one of the likely first tokens. It shows a wrong token in a prefix even if that changes no text."""

    def agrees(self, tolerance: Tolerance) -> bool:
        """Whether the texts are the same or differ from a near tie on."""
        return self.shift < tolerance.shift and (self.gap is None or self.gap < tolerance.gap)


@dataclass(frozen=True)
class Agreement:
    """How many answers agree."""

    same: int
    near_ties: int
    different: int
    largest_gap: float
    """Between two tokens."""
    largest_shift: float

    @classmethod
    def count(cls, answers: Sequence[TextComparison], tolerance: Tolerance) -> "Agreement":
        agreeing = [answer for answer in answers if answer.agrees(tolerance)]
        n_same = sum(answer.gap is None for answer in agreeing)
        return cls(
            same=n_same,
            near_ties=len(agreeing) - n_same,
            different=len(answers) - len(agreeing),
            largest_gap=max((answer.gap for answer in answers if answer.gap and isfinite(answer.gap)), default=0.0),
            largest_shift=max(answer.shift for answer in answers),
        )


def first_tokens(server: Endpoint, answers: Iterable[Answer[list[int]]]) -> list[Logprobs]:
    """Returns the probabilities of the first token after each answer's prompt, with what is in the cache now."""
    (client,) = server.clients(1)
    return [_logprobs(client.ask(answer.prompt, 1, n_probs=_N_PROBS)) for answer in answers]


class UncachedServer:
    """A server that computes every prompt from its beginning, alone."""

    def __init__(self, server: Endpoint) -> None:
        (self._client,) = server.clients(1)
        self._results: dict[tuple[int, ...], dict[str, Any]] = {}

    def compare(self, answer: Answer[list[int]], first: Logprobs) -> TextComparison:
        """Compares an answer, and the probabilities of its first token when the prompt was sent again."""
        result = self._result(answer.prompt, answer.n_predict)
        return TextComparison(gap_between(answer, result["tokens"], self._gap), _shift(_logprobs(result), first))

    def _result(self, prompt: list[int], n_predict: int) -> dict[str, Any]:
        key = (n_predict, *prompt)
        if key not in self._results:
            options = {"n_probs": _N_PROBS, "return_tokens": True, "cache_prompt": False}
            self._results[key] = self._client.ask(prompt, n_predict, **options)
        return self._results[key]

    def _gap(self, prompt: list[int], one: int, other: int) -> float:
        logprobs = _logprobs(self._result(prompt, 1))
        return abs(_logprob(one, logprobs) - _logprob(other, logprobs))


def gap_between(answer: Answer[list[int]], tokens: list[int], gap: LogprobGap) -> float | None:
    """Returns the gap where the tokens of an answer and others first differ; infinite if one of them ends there, which
    is no near tie, since the same number was requested of both; None if they are the same."""
    for index, (one, other) in enumerate(zip(answer.tokens, tokens, strict=False)):
        if one != other:
            return gap(answer.prompt + tokens[:index], one, other)
    return None if len(answer.tokens) == len(tokens) else inf


def _logprobs(result: dict[str, Any]) -> Logprobs:
    return {token["id"]: token["logprob"] for token in result["completion_probabilities"][0]["top_logprobs"]}


def _logprob(token: int, logprobs: Logprobs) -> float:
    """Returns that of the last of the most likely tokens, an upper bound, for a token that is none of them."""
    return logprobs.get(token, min(logprobs.values()))


def _shift(uncached: Logprobs, cached: Logprobs) -> float:
    """Compares only the more likely half: after a small shift the others might not be in the list any more."""
    likely = sorted(uncached, key=uncached.__getitem__)[-_N_PROBS // 2 :]
    return max(abs(uncached[token] - _logprob(token, cached)) for token in likely)
