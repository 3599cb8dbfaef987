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
        self._counts: dict[int, int] = {}
        self._places: dict[int, int] = {}
        self._different = np.empty(64, np.intp)
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
        count = self._counts.get(token, 0)
        self._counts[token] = count + 1
        if count == 0:
            place = self._places[token] = len(self._places)
            if place == self._different.size:
                self._different = np.resize(self._different, 2 * place)
            self._different[place] = token

    def _forget(self, token: int) -> None:
        if token == self._ignored:
            return
        self._counts[token] -= 1
        if self._counts[token] == 0:
            del self._counts[token]
            last = int(self._different[len(self._places) - 1])
            place = self._places[last] = self._places[token]
            self._different[place] = last
            del self._places[token]

    def different(self) -> npt.NDArray[np.intp]:
        """The different tokens, shape (different tokens,), in no order. A view, which the next token changes."""
        return self._different[: len(self._places)]

    def counts(self) -> npt.NDArray[np.float64]:
        """How often each of the different tokens occurs, in their order."""
        tokens = self.different().tolist()
        return np.fromiter(map(self._counts.__getitem__, tokens), np.float64, len(tokens))
