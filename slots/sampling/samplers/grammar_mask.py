"""Grammar mask: removes the tokens that the request's grammar does not allow next."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from grammar.errors import GrammarError
from slots.errors import InvalidRequest
from slots.sampling.logits import bitmask
from slots.sampling.logits.bitmask import Words
from slots.sampling.logits.candidates import Candidates
from slots.sampling.logits.search import top_k_indices
from slots.sampling.matching.token_matcher import TokenMatcher

MAX_SPARSE_TOKENS = 1024  # up to here, reading the allowed logits is faster than searching the full row
_EXTRA_TOKENS = 32  # 2 k + this many tokens are tested, at most, to find the k largest allowed ones
_MIN_PROBED_TOKENS = 16  # tested before the share of allowed ones decides whether to continue


@dataclass(frozen=True, slots=True)
class AllowedTokens:
    words: Words
    n_tokens: int

    @property
    def is_sparse(self) -> bool:
        return self.n_tokens <= MAX_SPARSE_TOKENS


class GrammarMask:
    """Removes the tokens that a grammar does not allow. The first sampler of a chain."""

    def __init__(self, matcher: TokenMatcher, end_of_generation: Collection[int]) -> None:
        self._matcher = matcher
        self._end_of_generation = end_of_generation

    def __call__(self, candidates: Candidates) -> None:
        allowed = self.allowed()
        if allowed.is_sparse:
            candidates.keep_but_count(bitmask.tokens_in(allowed.words))
        else:
            candidates.apply_mask(allowed.words)

    def allowed(self) -> AllowedTokens:
        """Return the allowed tokens, valid until the next `accept`. Raises InvalidRequest if a grammar hits its
        limits."""
        with as_invalid_request():
            return AllowedTokens(self._matcher.mask(), self._matcher.n_allowed())

    @property
    def is_mask_expensive(self) -> bool:
        """Whether testing some tokens is cheaper than computing the mask."""
        return self._matcher.is_mask_expensive

    def allowed_for_top_k(self, candidates: Candidates, k: int) -> AllowedTokens:
        """As `allowed`; of an expensive mask perhaps only those with the k largest logits of a full row."""
        if not self.is_mask_expensive:
            return self.allowed()
        tokens = top_k_indices(candidates.logits, 2 * k + _EXTRA_TOKENS, candidates.workspace)
        first_k = self.first_k_allowed(tokens.tolist(), k)
        if first_k is None:
            return self.allowed()
        return AllowedTokens(bitmask.words_of(tokens[first_k], len(candidates)), k)

    def first_k_allowed(self, tokens: Sequence[int], k: int) -> list[int] | None:
        """Return the indices of the first k allowed ones of some tokens. None if there are fewer, or if the share of
        allowed ones among the first tokens suggests so."""
        indices: list[int] = []
        for index, token in enumerate(tokens):
            if self._matcher.allows(token):
                indices.append(index)
                if len(indices) == k:
                    return indices
            elif index > _MIN_PROBED_TOKENS and k * index > len(indices) * len(tokens):
                return None
        return None

    def accept(self, token: int) -> None:
        if token not in self._end_of_generation:
            with as_invalid_request():
                self._matcher.accept(token)


@contextmanager
def as_invalid_request() -> Iterator[None]:
    try:
        yield
    except GrammarError as error:
        raise InvalidRequest("grammar", str(error)) from None
