"""Prompts that no server has seen before."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.harness.client import Prompts

TEXT = (Path(__file__).parents[2] / "README.md").read_text()
"""Its words are ordinary ones, so their tokens are, too."""


class PromptTokens(Prompts[list[int]]):
    """Ordinary tokens in random order, the same ones for the same seed."""

    def __init__(self, ordinary: Sequence[int], seed: Sequence[int]) -> None:
        super().__init__(seed)
        self._ordinary = np.unique(ordinary)

    def take(self, n_tokens: int) -> list[int]:
        tokens: list[int] = self.random.choice(self._ordinary, n_tokens).tolist()
        return tokens
