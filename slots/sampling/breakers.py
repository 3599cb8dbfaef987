"""Strings at which a repetition is interrupted, as tokens."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from slots.llama import Vocab
from slots.sampling.piece_index import PieceIndex

_MOST_BYTES = 40
_MOST_TAIL_TOKENS = 20
_REMEMBERED = 256

Tails = dict[int, set[tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class Breakers:
    """Sequences of tokens with a string in them that interrupts a repetition."""

    tails: Tails = field(default_factory=dict)
    """What follows the first token of such a sequence; nothing where the token has all of the string in it."""

    @property
    def longest_tail(self) -> int:
        """The most tokens after the first one."""
        return max((len(tail) for tails in self.tails.values() for tail in tails), default=0)

    def is_whole(self, token: int) -> bool:
        """Whether a token is such a sequence by itself."""
        return () in self.tails.get(token, ())


class BreakerFinder:
    """Finds the tokens of sequence breakers in a vocabulary, and remembers those of the last 256 strings."""

    def __init__(self, vocab: Vocab) -> None:
        self._vocab = vocab
        self._known: OrderedDict[str, Tails] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, strings: Sequence[str]) -> Breakers:
        """All sequences with one of the strings in them. Of a string only the first 40 bytes are looked at, and of
        what follows a first token only 20 tokens, as in llama.cpp.

        The first call takes about a second where the vocabulary is large. May be called from any thread.
        """
        tails: Tails = {}
        with self._lock:
            for string in strings:
                for token, endings in self._remembered(string).items():
                    tails.setdefault(token, set()).update(endings)
        return Breakers(tails)

    @cached_property
    def _pieces(self) -> PieceIndex:
        return PieceIndex([self._vocab.piece(token) for token in range(self._vocab.n_tokens)])

    def _remembered(self, string: str) -> Tails:
        if string not in self._known:
            self._known[string] = self._search(string.encode()[:_MOST_BYTES])
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(string)
        return self._known[string]

    def _search(self, string: bytes) -> Tails:
        whole = self._pieces.containing(string)
        tails: Tails = {token: {()} for token in whole}
        for n in range(1, len(string)):
            begun = [token for token in self._pieces.ending_with(string[:n]) if () not in tails.get(token, ())]
            if begun:
                rest = tuple(self._vocab.tokenize_bytes(string[n:])[:_MOST_TAIL_TOKENS])
                for token in begun:
                    tails.setdefault(token, set()).add(rest)
        return tails
