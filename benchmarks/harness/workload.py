"""Workloads: requests to a server, and what is measured of the answers."""

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
    """By name in tables, with its unit."""
    answers: Sequence[Answer[Any]]


class Workload(ABC):
    """Requests to a server."""

    @property
    @abstractmethod
    def n_ctx(self) -> int:
        """Tokens that each slot must hold."""

    @abstractmethod
    def shrunk(self, n_tokens: int) -> Self:
        """Returns the same workload with `n_tokens` fewer tokens in each slot."""

    @abstractmethod
    def run(self, server: Server[PromptT], prompts: Prompts[PromptT]) -> Round:
        """Sends all requests once."""

    def fit_to(self, n_ctx: int) -> Self:
        """Returns the same workload, shrunk to slots of `n_ctx` tokens if it needs more."""
        return self.shrunk(max(0, self.n_ctx - n_ctx))


def poisson_arrivals(n_requests: int, per_second: float, random: np.random.Generator) -> list[float]:
    """Returns the seconds from the start to each request, in order. The times between them are independent of each
    other and `1 / per_second` on average."""
    arrivals: list[float] = np.cumsum(random.exponential(1 / per_second, n_requests)).tolist()
    return arrivals


def shuffled_kinds(n_requests: int, n_long: int, random: np.random.Generator) -> list[bool]:
    """Returns for each request whether it is one of the `n_long` long ones, in random order."""
    is_long: list[bool] = (random.permutation(n_requests) < n_long).tolist()
    return is_long


def percentile_ms(seconds: Sequence[float], percent: float) -> float:
    """Returns the percentile in milliseconds, interpolated between the two nearest values; nan without values."""
    return 1000 * float(np.percentile(seconds, percent)) if seconds else float("nan")


def first_token_ms(answers: Sequence[Answer[Any]]) -> dict[str, float]:
    """Returns the median and the 99th percentile of the time to the first token."""
    seconds = [answer.first_token_s for answer in answers]
    return {f"first token p{percent}, ms": percentile_ms(seconds, percent) for percent in (50, 99)}


def between_tokens_ms(answers: Sequence[Answer[Any]]) -> dict[str, float]:
    """Returns the same of the time from one token to the next one of the same answer."""
    seconds = [later - earlier for answer in answers for earlier, later in pairwise(answer.arrivals)]
    return {f"between tokens p{percent}, ms": percentile_ms(seconds, percent) for percent in (50, 99)}
