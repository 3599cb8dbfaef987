"""Whether a prefix that was taken from the cache leads to the same text as one that was computed."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

from benchmarks.harness.client import Answer
from benchmarks.harness.llama_client import Endpoint

_N_PROBS = 10

Logprobs = dict[int, float]
"""Of the likeliest tokens."""

LogprobGap = Callable[[list[int], int, int], float]
"""How far the log probabilities of two tokens behind a prompt are apart."""


@dataclass(frozen=True)
class Tolerance:
    """How far apart log probabilities may be. Sums are rounded in other ways in batches of other shapes."""

    gap: float
    """Between the two tokens where texts part."""
    shift: float
    """Between the same first token with and without the cache."""


@dataclass(frozen=True)
class TextComparison:
    """An answer with the cache beside the one without."""

    gap: float | None
    """Between the two tokens where the texts part, infinite where one of them ends; None if they do not part."""
    shift: float
    """Of the likely first tokens, the largest. It tells a wrong token in a prefix even if that changes no text."""

    def agrees(self, limits: Tolerance) -> bool:
        """Whether the texts are the same or part at a near tie."""
        return self.shift < limits.shift and (self.gap is None or self.gap < limits.gap)


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
    def count(cls, answers: Sequence[TextComparison], limits: Tolerance) -> "Agreement":
        """Counts them."""
        agreeing = [answer for answer in answers if answer.agrees(limits)]
        n_same = sum(answer.gap is None for answer in agreeing)
        return cls(
            same=n_same,
            near_ties=len(agreeing) - n_same,
            different=len(answers) - len(agreeing),
            largest_gap=max((answer.gap for answer in answers if answer.gap and isfinite(answer.gap)), default=0.0),
            largest_shift=max(answer.shift for answer in answers),
        )


def first_tokens(server: Endpoint, answers: Iterable[Answer[list[int]]]) -> list[Logprobs]:
    """How the prompts of answers go on, with what is in the cache now."""
    (client,) = server.clients(1)
    return [_logprobs(client.ask(answer.prompt, 1, n_probs=_N_PROBS)) for answer in answers]


class UncachedServer:
    """Answers of a server that computes every prompt from its beginning, alone."""

    def __init__(self, server: Endpoint) -> None:
        (self._client,) = server.clients(1)
        self._results: dict[tuple[int, ...], dict[str, Any]] = {}

    def compare(self, answer: Answer[list[int]], first: Logprobs) -> TextComparison:
        """Compare an answer, and how the first token was told when the prompt was asked again."""
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
    """The gap where the tokens of an answer and others part, infinite if one ends where the other goes on: that is no
    near tie, since both were asked for as many. None if they are the same."""
    for index, (one, other) in enumerate(zip(answer.tokens, tokens, strict=False)):
        if one != other:
            return gap(answer.prompt + tokens[:index], one, other)
    return None if len(answer.tokens) == len(tokens) else inf


def _logprobs(result: dict[str, Any]) -> Logprobs:
    return {token["id"]: token["logprob"] for token in result["completion_probabilities"][0]["top_logprobs"]}


def _logprob(token: int, logprobs: Logprobs) -> float:
    """A token that is none of the likeliest is as unlikely as the last of these, at least."""
    return logprobs.get(token, min(logprobs.values()))


def _shift(uncached: Logprobs, cached: Logprobs) -> float:
    """Only the likelier half is compared: with a small shift the others might not be among the likeliest any more."""
    likely = sorted(uncached, key=uncached.__getitem__)[-_N_PROBS // 2 :]
    return max(abs(uncached[token] - _logprob(token, cached)) for token in likely)
