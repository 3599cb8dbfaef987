"""Prompts that no server has seen before."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

TEXT = (Path(__file__).parents[1] / "README.md").read_text()
"""Its words are ordinary ones, so their tokens are, too."""


class PromptTokens:
    """Ordinary tokens in random order, the same ones for the same seed."""

    def __init__(self, ordinary: Sequence[int], seed: Sequence[int]) -> None:
        self._ordinary = np.unique(ordinary)
        self._random = np.random.default_rng(seed)

    def take(self, n_tokens: int) -> list[int]:
        """Returns the next ones."""
        tokens: list[int] = self._random.choice(self._ordinary, n_tokens).tolist()
        return tokens
