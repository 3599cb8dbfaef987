"""BudgetMatcher: lets a model think up to its budget, then allows only the tokens that end its thoughts.

It wraps the matcher of the request's grammar, if there is one, which has to allow the thoughts and their end, too. As
for a grammar, it makes no difference whether tokens are sampled, drafted or forced.
"""

from collections.abc import Callable
from enum import Enum, auto

import numpy as np
import numpy.typing as npt

from slots.requests.reasoning_budget import ReasoningBudget
from slots.sampling.logits import bitmask
from slots.sampling.matching.token_matcher import TokenMatcher

_MAX_CHARACTER_BYTES = 4


class _Phase(Enum):
    BEFORE = auto()
    """The answer may begin with thoughts."""
    THINKING = auto()
    CLOSING = auto()
    """Only the next token of the closing is allowed."""
    AFTER = auto()


class BudgetMatcher:
    """The state of one request. Used by one thread at a time."""

    def __init__(
        self, budget: ReasoningBudget, inner: TokenMatcher | None, n_vocab: int, piece: Callable[[int], bytes]
    ) -> None:
        """`piece` returns the bytes of a token, those of control tokens included."""
        self._budget = budget
        self._inner = inner
        self._n_vocab = n_vocab
        self._piece = piece
        self._all: npt.NDArray[np.uint32] | None = None
        self._text = b""
        """What may still be the start or, of thoughts, the end."""
        self._n_left = budget.n_tokens
        self._n_closed = 0
        self._phase = _Phase.BEFORE
        if budget.is_open:
            self._begin_thoughts(b"")

    @property
    def may_end(self) -> bool:
        return self._phase is not _Phase.CLOSING and (self._inner is None or self._inner.may_end)

    @property
    def is_over(self) -> bool:
        return self._phase is not _Phase.CLOSING and self._inner is not None and self._inner.is_over

    @property
    def is_mask_expensive(self) -> bool:
        return self._phase is not _Phase.CLOSING and self._inner is not None and self._inner.is_mask_expensive

    def mask(self) -> npt.NDArray[np.uint32]:
        if self._phase is _Phase.CLOSING:
            return bitmask.words_of(np.array([self._next_of_closing], np.intp), self._n_vocab)
        return self._all_tokens() if self._inner is None else self._inner.mask()

    def n_allowed(self) -> int:
        if self._phase is _Phase.CLOSING:
            return 1
        return self._n_vocab if self._inner is None else self._inner.n_allowed()

    def allows(self, token: int) -> bool:
        if self._phase is _Phase.CLOSING:
            return token == self._next_of_closing
        return self._inner is None or self._inner.allows(token)

    def accept(self, token: int) -> None:
        if self._inner is not None:
            self._inner.accept(token)
        match self._phase:
            case _Phase.BEFORE:
                self._read_start(self._piece(token))
            case _Phase.THINKING:
                self._n_left -= 1
                self._read_thoughts(self._piece(token))
            case _Phase.CLOSING:
                self._n_closed += 1
                if self._n_closed == len(self._budget.closing):
                    self._phase = _Phase.AFTER

    def forced_tokens(self, max_tokens: int) -> list[int]:
        """Returns the rest of the closing; before it and in thoughts, none: they are counted one by one."""
        if self._phase is _Phase.CLOSING:
            return list(self._budget.closing[self._n_closed :][:max_tokens])
        if self._phase is _Phase.AFTER and self._inner is not None:
            return self._inner.forced_tokens(max_tokens)
        return []

    @property
    def _next_of_closing(self) -> int:
        return self._budget.closing[self._n_closed]

    def _all_tokens(self) -> npt.NDArray[np.uint32]:
        if self._all is None:
            self._all = bitmask.words_of(np.arange(self._n_vocab), self._n_vocab)
        return self._all

    def _read_start(self, data: bytes) -> None:
        start = self._budget.start
        self._text = (self._text + data).lstrip()
        if self._text.startswith(start):
            self._begin_thoughts(self._text[len(start) :])
        elif not start.startswith(self._text):
            self._phase = _Phase.AFTER

    def _begin_thoughts(self, data: bytes) -> None:
        self._phase = _Phase.THINKING
        self._text = b""
        self._read_thoughts(data)

    def _read_thoughts(self, data: bytes) -> None:
        self._text += data
        if self._budget.end in self._text:
            self._phase = _Phase.AFTER
        elif self._n_left <= 0 and not _ends_within_character(self._text):
            self._phase = _Phase.CLOSING
        self._text = self._text[-max(len(self._budget.end), _MAX_CHARACTER_BYTES) :]


def _ends_within_character(data: bytes) -> bool:
    """Whether UTF-8 text ends before the last byte of a character."""
    for n_bytes, byte in enumerate(reversed(data[-_MAX_CHARACTER_BYTES:]), 1):
        if byte >> 6 != 0b10:
            n_expected = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
            return n_bytes < n_expected
    return False
