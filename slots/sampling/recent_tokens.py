"""The tokens that a text had lately."""

from collections import deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


class RecentTokens:
    """The last tokens of a text and how often each occurs among them, kept up to date as the text grows."""

    def __init__(self, size: int, tokens: Sequence[int], ignored: int | None = None) -> None:
        """`size` is how many tokens are looked back upon; `ignored` is a token that takes its place among them but is
        not counted."""
        self._size = size
        self._ignored = ignored
        self._window: deque[int] = deque()
        self._places: dict[int, int] = {}
        self._tokens = np.empty(64, np.intp)
        self._counts = np.empty(64, np.float64)
        for token in tokens[max(len(tokens) - size, 0) :]:
            self.append(token)

    def append(self, token: int) -> None:
        """Take in the next token; the oldest one leaves a full window."""
        if self._size == 0:
            return
        if len(self._window) == self._size:
            self._forget(self._window.popleft())
        self._window.append(token)
        if token == self._ignored:
            return
        place = self._places.get(token)
        if place is not None:
            self._counts[place] += 1
            return
        place = self._places[token] = len(self._places)
        if place == self._tokens.size:
            self._tokens = np.resize(self._tokens, 2 * place)
            self._counts = np.resize(self._counts, 2 * place)
        self._tokens[place], self._counts[place] = token, 1

    def _forget(self, token: int) -> None:
        if token == self._ignored:
            return
        place = self._places[token]
        self._counts[place] -= 1
        if self._counts[place] == 0:
            last = len(self._places) - 1
            moved = int(self._tokens[last])
            self._tokens[place], self._counts[place] = moved, self._counts[last]
            self._places[moved] = place
            del self._places[token]

    def counts(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
        """The different tokens and how often each occurs, both of shape (different tokens,), in no order.

        They are views, which the next token changes.
        """
        n = len(self._places)
        return self._tokens[:n], self._counts[:n]
