"""Strings at which a repetition is interrupted, as tokens."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from slots.llama import Vocab

Tokens = npt.NDArray[np.int32]


class TokenBytesIndex:
    """The pieces of a vocabulary in one array, in which numpy finds a string faster than Python in one after the
    other."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        """`pieces` are the bytes of the tokens, by token."""
        lengths = np.fromiter(map(len, pieces), np.intp, len(pieces))
        self._ends = lengths.cumsum()
        self._starts = self._ends - lengths
        self._bytes = np.frombuffer(b"".join(pieces), np.uint8)

    def containing(self, string: bytes) -> Tokens:
        """The tokens with a string in them, ascending."""
        at = self._matching((self._bytes == string[0]).nonzero()[0], string)
        tokens = self._starts.searchsorted(at, side="right") - 1
        return np.unique(tokens[at + len(string) <= self._ends[tokens]]).astype(np.int32)

    def ending_with(self, string: bytes) -> Tokens:
        """The tokens that end with a string, ascending."""
        tokens = (self._ends - self._starts >= len(string)).nonzero()[0]
        at = self._matching(self._ends[tokens] - len(string), string)
        return self._ends.searchsorted(at + len(string)).astype(np.int32)

    def _matching(self, at: npt.NDArray[np.intp], string: bytes) -> npt.NDArray[np.intp]:
        """Those of some places in the array at which a string begins."""
        at = at[at + len(string) <= self._bytes.size]
        for offset in reversed(range(len(string))):
            at = at[self._bytes[at + offset] == string[offset]]
        return at


_MOST_BYTES = 40
_MOST_TAIL_TOKENS = 20
_CACHE_SIZE = 64
"""Strings; the tokens of one may take a megabyte."""

Suffix = tuple[int, ...]
FirstTokens = Mapping[Suffix, Tokens]
"""The first tokens of sequences, ascending, by the tokens that follow; those that are sequences by themselves have no
tail."""


class SequenceBreakers:
    """Sequences of tokens with a string in them that interrupts a repetition."""

    def __init__(self, parts: Sequence[FirstTokens]) -> None:
        """`parts` are the sequences of each string."""
        self.by_string = tuple(parts)
        self._tail_lengths = sorted({len(tail) for part in parts for tail in part}, reverse=True)

    @property
    def max_suffix_length(self) -> int:
        """The most tokens after the first one of a sequence."""
        return self._tail_lengths[0] if self._tail_lengths else 0

    def is_breaker(self, token: int) -> bool:
        """Whether a token is such a sequence by itself."""
        return token < self._is_whole.size and bool(self._is_whole[token])

    def matches(self, token: int, tail: Suffix) -> bool:
        """Whether a token and those that follow it are such a sequence."""
        if not tail:
            return self.is_breaker(token)
        return any(tail in part and _holds(part[tail], token) for part in self.by_string)

    def suffix_length_at(self, tokens: Sequence[int], start: int) -> int | None:
        """How many tokens follow the first one in the longest sequence that begins at a place and is complete; None if
        none does."""
        for n in self._tail_lengths:
            if start + n < len(tokens) and self.matches(tokens[start], tuple(tokens[start + 1 : start + 1 + n])):
                return n
        return None

    @cached_property
    def _is_whole(self) -> npt.NDArray[np.bool_]:
        whole = [part[()] for part in self.by_string if () in part]
        is_whole = np.zeros(max((int(tokens[-1]) + 1 for tokens in whole if tokens.size), default=0), np.bool_)
        for tokens in whole:
            is_whole[tokens] = True
        return is_whole


def _holds(tokens: Tokens, token: int) -> bool:
    place = int(tokens.searchsorted(token))
    return place < tokens.size and int(tokens[place]) == token


class SequenceBreakerFinder:
    """Finds the tokens of sequence breakers in a vocabulary, and remembers those of the last 64 strings.

    Where the vocabulary is large, the first call takes about half a second and each new string up to 50 milliseconds.
    May be called from any thread.
    """

    def __init__(self, vocab: Vocab) -> None:
        self._vocab = vocab
        self._known: OrderedDict[str, FirstTokens] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, strings: Sequence[str]) -> SequenceBreakers:
        """All sequences with one of the strings in them. Of a string only the first 40 bytes are looked at, and of
        what follows a first token only 20 tokens, as in llama.cpp."""
        return SequenceBreakers([self._remembered(string) for string in strings])

    def _remembered(self, string: str) -> FirstTokens:
        with self._lock:
            known = self._known.get(string)
        # Without the lock, so that nobody waits for another one's search.
        found = self._search(string.encode()[:_MOST_BYTES]) if known is None else known
        with self._lock:
            self._known[string] = found
            self._known.move_to_end(string)
            if len(self._known) > _CACHE_SIZE:
                self._known.popitem(last=False)
        return found

    @cached_property
    def _pieces(self) -> TokenBytesIndex:
        return TokenBytesIndex([self._vocab.piece(token) for token in range(self._vocab.n_tokens)])

    def _search(self, string: bytes) -> FirstTokens:
        whole = self._pieces.containing(string)
        heads: dict[Suffix, Tokens] = {(): whole}
        for n in range(1, len(string)):
            begun = np.setdiff1d(self._pieces.ending_with(string[:n]), whole, assume_unique=True)
            if begun.size:
                tail = tuple(self._vocab.tokenize_bytes(string[n:])[:_MOST_TAIL_TOKENS])
                heads[tail] = np.union1d(heads[tail], begun) if tail in heads else begun
        return heads
