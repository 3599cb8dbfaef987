"""What a grammar leaves of the tokens."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from grammar.errors import GrammarError
from grammar.matcher import Matcher
from slots.errors import InvalidRequest
from slots.sampling.logits import bitmask
from slots.sampling.logits.bitmask import Words
from slots.sampling.logits.candidates import Candidates

MAX_SPARSE_TOKENS = 1024
"""Tokens that are looked at one by one, instead of at the whole row."""
_ENOUGH_TO_TELL = 16
"""Tokens of which enough have to be allowed for more to be asked for."""


@dataclass(frozen=True, slots=True)
class AllowedTokens:
    """The tokens that may come next."""

    words: Words
    n_tokens: int

    @property
    def is_sparse(self) -> bool:
        """Whether it is better to look at these than at the row."""
        return self.n_tokens <= MAX_SPARSE_TOKENS


class GrammarMask:
    """Takes away the tokens that a grammar does not allow next. The first sampler of a chain."""

    def __init__(self, matcher: Matcher, end_of_generation: Collection[int], *, is_lazy: bool) -> None:
        """`is_lazy` where nothing but the largest logits of the row will be looked at."""
        self._matcher = matcher
        self._end_of_generation = end_of_generation
        self._is_lazy = is_lazy

    def __call__(self, candidates: Candidates) -> None:
        allowed = self.allowed()
        if allowed.is_sparse:
            candidates.keep_but_count(bitmask.tokens_in(allowed.words))
        else:
            candidates.set_mask(allowed.words)
            if not self._is_lazy:
                candidates.apply_mask()

    def allowed(self) -> AllowedTokens:
        """What the grammar allows next, valid until a token is taken in. Raises InvalidRequest where a grammar hits its
        limits."""
        with as_invalid_request():
            return AllowedTokens(self._matcher.mask(), self._matcher.n_allowed())

    @property
    def is_mask_expensive(self) -> bool:
        """Whether it is better to ask for some tokens than for all that are allowed."""
        return self._matcher.is_mask_expensive

    def first_k_allowed(self, tokens: Sequence[int], n: int) -> list[int] | None:
        """The places of the first n of some tokens that are allowed. None if there are fewer, or if so few of the first
        tokens are allowed that there will be."""
        places: list[int] = []
        for place, token in enumerate(tokens):
            if self._matcher.allows(token):
                places.append(place)
                if len(places) == n:
                    return places
            elif place > _ENOUGH_TO_TELL and n * place > len(places) * len(tokens):
                return None
        return None

    def accept(self, token: int) -> None:
        """Take in a token that was chosen."""
        if token not in self._end_of_generation:
            with as_invalid_request():
                self._matcher.accept(token)


@contextmanager
def as_invalid_request() -> Iterator[None]:
    """What stops a grammar half way becomes an InvalidRequest."""
    try:
        yield
    except GrammarError as error:
        raise InvalidRequest("grammar", str(error)) from None
