"""Something to ask of servers, to be measured."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np

from benchmarks.harness.client import Answer, Prompts, PromptT, Server


@dataclass(frozen=True)
class Round:
    """One run of a workload."""

    measured: dict[str, float]
    """By what it is called in tables, with its unit."""
    answers: Sequence[Answer[Any]]


class Workload(ABC):
    """Something to ask of a server."""

    @property
    @abstractmethod
    def n_ctx(self) -> int:
        """Tokens that each slot must have room for."""

    @abstractmethod
    def shrunk(self, n_tokens: int) -> Self:
        """The same with this many tokens less in each slot."""

    @abstractmethod
    def run(self, server: Server[PromptT], prompts: Prompts[PromptT]) -> Round:
        """Ask it once."""

    def fit_to(self, n_ctx: int) -> Self:
        """The same, shrunk as far as slots are too small for it."""
        return self.shrunk(max(0, self.n_ctx - n_ctx))


def poisson_arrivals(n_requests: int, per_second: float, random: np.random.Generator) -> list[float]:
    """Returns the seconds from the start to each request, in order. The times between them are independent of each
    other and `1 / per_second` on average."""
    arrivals: list[float] = np.cumsum(random.exponential(1 / per_second, n_requests)).tolist()
    return arrivals


def shuffled_kinds(n_requests: int, n_long: int, random: np.random.Generator) -> list[bool]:
    """Returns for each request whether it is one of the `n_long` long ones, which are anywhere among them."""
    is_long: list[bool] = (random.permutation(n_requests) < n_long).tolist()
    return is_long


def percentile_ms(seconds: Sequence[float], percent: float) -> float:
    """Returns the percentile in milliseconds, between the two nearest values where it falls between them; nan where
    there are no values."""
    return 1000 * float(np.percentile(seconds, percent)) if seconds else float("nan")


def first_token_ms(answers: Sequence[Answer[Any]]) -> dict[str, float]:
    """Returns the median and the 99th percentile of the time to the first token."""
    seconds = [answer.first_token_s for answer in answers]
    return {f"first token p{percent}, ms": percentile_ms(seconds, percent) for percent in (50, 99)}


def between_tokens_ms(answers: Sequence[Answer[Any]]) -> dict[str, float]:
    """Returns the same of the time from one token to the next of the same answer."""
    seconds = [later - earlier for answer in answers for earlier, later in pairwise(answer.arrivals)]
    return {f"between tokens p{percent}, ms": percentile_ms(seconds, percent) for percent in (50, 99)}
