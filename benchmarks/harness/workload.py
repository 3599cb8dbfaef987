"""Something to ask of servers, to be measured."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

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

    def fitted(self, n_ctx: int) -> Self:
        """The same, shrunk as far as slots are too small for it."""
        return self.shrunk(max(0, self.n_ctx - n_ctx))
