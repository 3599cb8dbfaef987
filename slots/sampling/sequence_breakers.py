"""Sequence breakers: strings at which DRY stops to see a repetition, as sequences of tokens."""

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from grammar.token_bytes import TokenBytes
from slots.llama import Vocab

Tokens = npt.NDArray[np.int32]


class TokenBytesIndex:
    """Searches the bytes of all tokens with numpy, which is faster than Python with one token after the other."""

    def __init__(self, pieces: TokenBytes) -> None:
        self._ends = pieces.ends.astype(np.intp)
        self._starts = pieces.starts.astype(np.intp)
        self._bytes = pieces.data

    def containing(self, string: bytes) -> Tokens:
        """Return the tokens that contain a string, ascending."""
        starts = self._matching((self._bytes == string[0]).nonzero()[0], string)
        tokens = self._starts.searchsorted(starts, side="right") - 1
        return np.unique(tokens[starts + len(string) <= self._ends[tokens]]).astype(np.int32)

    def ending_with(self, string: bytes) -> Tokens:
        """Return the tokens that end with a string, ascending."""
        tokens = (self._ends - self._starts >= len(string)).nonzero()[0]
        starts = self._matching(self._ends[tokens] - len(string), string)
        return self._ends.searchsorted(starts + len(string)).astype(np.int32)

    def _matching(self, starts: npt.NDArray[np.intp], string: bytes) -> npt.NDArray[np.intp]:
        """Those of some offsets into the array at which a string starts."""
        starts = starts[starts + len(string) <= self._bytes.size]
        for offset in reversed(range(len(string))):
            starts = starts[self._bytes[starts + offset] == string[offset]]
        return starts


_MAX_BYTES = 40
_MAX_SUFFIX_TOKENS = 20
_CACHE_SIZE = 64  # strings; the tokens of one may take a megabyte

Suffix = tuple[int, ...]
FirstTokens = Mapping[Suffix, Tokens]
"""The sequences of a string: their first tokens, ascending, by the tokens that follow. The suffix of a token that is a
sequence by itself is empty."""


class SequenceBreakers:
    """Token sequences that contain one of the strings that interrupt a repetition."""

    def __init__(self, by_string: Sequence[FirstTokens]) -> None:
        self.by_string = tuple(by_string)
        self._suffix_lengths = sorted({len(suffix) for first in by_string for suffix in first}, reverse=True)

    @property
    def max_suffix_length(self) -> int:
        return self._suffix_lengths[0] if self._suffix_lengths else 0

    def is_breaker(self, token: int) -> bool:
        return token < self._is_breaker.size and bool(self._is_breaker[token])

    def matches(self, token: int, suffix: Suffix) -> bool:
        """Whether a token and those after it are a sequence."""
        if not suffix:
            return self.is_breaker(token)
        return any(suffix in first and _contains(first[suffix], token) for first in self.by_string)

    def suffix_length_at(self, tokens: Sequence[int], start: int) -> int | None:
        """Return how many tokens follow the first one in the longest complete sequence at `start`; None without one."""
        for n in self._suffix_lengths:
            if start + n < len(tokens) and self.matches(tokens[start], tuple(tokens[start + 1 : start + 1 + n])):
                return n
        return None

    @cached_property
    def _is_breaker(self) -> npt.NDArray[np.bool_]:
        breakers = [first[()] for first in self.by_string if () in first]
        is_breaker = np.zeros(max((int(tokens[-1]) + 1 for tokens in breakers if tokens.size), default=0), np.bool_)
        for tokens in breakers:
            is_breaker[tokens] = True
        return is_breaker


def _contains(tokens: Tokens, token: int) -> bool:
    index = int(tokens.searchsorted(token))
    return index < tokens.size and int(tokens[index]) == token


class SequenceBreakerFinder:
    """Finds the token sequences of sequence breakers in a vocabulary. Thread-safe. With 262 thousand tokens the first
    call takes 25 milliseconds, and each new string up to 15; the last 64 strings are cached."""

    def __init__(self, vocab: Vocab) -> None:
        self._vocab = vocab
        self._find_string = lru_cache(_CACHE_SIZE)(self._search)

    def find(self, strings: Sequence[str]) -> SequenceBreakers:
        """Find all sequences that contain one of the strings. As in llama.cpp, the first 40 bytes of a string and at
        most 20 tokens after a first one are used."""
        return SequenceBreakers([self._find_string(string) for string in strings])

    @cached_property
    def _index(self) -> TokenBytesIndex:
        return TokenBytesIndex(self._vocab.read_pieces())

    def _search(self, string: str) -> FirstTokens:
        text = string.encode()[:_MAX_BYTES]
        containing = self._index.containing(text)
        first_tokens: dict[Suffix, Tokens] = {(): containing}
        for n in range(1, len(text)):
            tokens = np.setdiff1d(self._index.ending_with(text[:n]), containing, assume_unique=True)
            if tokens.size:
                suffix = tuple(self._vocab.tokenize_bytes(text[n:])[:_MAX_SUFFIX_TOKENS])
                first_tokens[suffix] = np.union1d(first_tokens[suffix], tokens) if suffix in first_tokens else tokens
        return first_tokens
