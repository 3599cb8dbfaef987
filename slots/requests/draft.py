"""Draft: tokens guessed ahead, and the probabilities with which they were guessed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """The distribution that a drafted token was drawn from: the tokens that were possible and their probabilities, both
    of shape (tokens,)."""

    tokens: npt.NDArray[np.intp]
    probabilities: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Draft:
    """Tokens that may follow a text."""

    tokens: Sequence[int] = ()
    proposals: Sequence[Proposal] = ()
    """One for each token; empty if the tokens were not drawn, but follow from the text."""

    def __len__(self) -> int:
        return len(self.tokens)

    def first(self, n_tokens: int) -> Self:
        """Returns the draft's first tokens."""
        return self if n_tokens >= len(self) else type(self)(self.tokens[:n_tokens], self.proposals[:n_tokens])


NO_DRAFT = Draft()
