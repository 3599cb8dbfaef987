"""Vocabulary: the tokens of a model, as llguidance needs them."""

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

import numpy as np

from grammar.llguidance_library import TokenTables
from grammar.token_bytes import TokenBytes

_NOT_TEXT = 0xFF
"""A byte that no UTF-8 text has. In llguidance it marks a special token."""
_PLAIN = r'[^"\\\x00-\x1F\x7F]'
"""A character that needs no escape in a JSON string."""
_SLICES = [*(f"{_PLAIN}{{1,{n}}}" for n in (6, 16)), f"{_PLAIN}+"]
"""Slices: parts of the vocabulary for which llguidance has a precomputed mask, used if a grammar allows all of a part.
Each takes as much memory as the tables without any, and a fifth of their time. With these lengths masks within strings
of limited length are as fast as with four times as many; white space as a slice of its own gains nothing."""


class GrammarVocabulary:
    """The tokens of a model and llguidance's tables of them. Immutable."""

    def __init__(
        self,
        pieces: Sequence[bytes],
        special: Collection[int],
        end_of_generation: Collection[int],
        special_texts: Mapping[str, int] | None = None,
    ) -> None:
        """Takes about a second for a large vocabulary, most of it without the GIL.

        `pieces` are the bytes of each token as it appears in a text, empty for one that prints nothing. `special`
        tokens, and those that print nothing, are allowed only where a grammar names them, `end_of_generation` tokens
        only where it may end. `special_texts` are the texts by which a grammar can name special tokens.
        """
        self._pieces = pieces if isinstance(pieces, TokenBytes) else TokenBytes.join(pieces)
        self.n_tokens = len(self._pieces)
        self.end_of_generation = frozenset(end_of_generation)
        is_text = (self._pieces.lengths > 0) & ~self._pieces.beginning_with(_NOT_TEXT)
        self.special = frozenset((~is_text).nonzero()[0].tolist()).union(special, end_of_generation)
        """Tokens that are not text."""
        self._special_texts = special_texts or {}
        self.tables = self._build_tables()

    @cached_property
    def letters(self) -> tuple[int, ...]:
        """Two tokens of one letter each, if the model has them."""
        tokens = [self._pieces.find(letter)[:1] for letter in (b"a", b"b")]
        return (*tokens[0], *tokens[1]) if all(tokens) else ()

    @property
    def n_table_tokens(self) -> int:
        """Tokens in llguidance's tables: one more than the model has, if the model has no end-of-generation token."""
        return self.n_tokens + (not self.end_of_generation)

    def piece(self, token: int) -> bytes:
        """The bytes of a token in a text; empty for a special token."""
        return b"" if token in self.special else self._pieces[token]

    def find_token(self, text: str) -> int | None:
        """The token with this text: a special token, or one that prints exactly this; None if there is none."""
        named = self._special_texts.get(text)
        if named is not None:
            return named
        found = self._pieces.find(text.encode(errors="surrogatepass"))
        return next((token for token in found if token not in self.special), None)

    def split_at_special(self, text: str) -> list[tuple[str, int | None]]:
        """Splits a text at the texts of special tokens: returns the pieces, each with its token if it is one.

        End-of-generation tokens are not split off.
        """
        texts = (name for name, token in self._special_texts.items() if name and token not in self.end_of_generation)
        names = sorted((name for name in texts if name in text), key=len, reverse=True)
        if not names:
            return [(text, None)]
        pieces = re.split(f"({'|'.join(map(re.escape, names))})", text)
        return [(piece, self._special_texts[piece] if n % 2 else None) for n, piece in enumerate(pieces) if piece]

    def _build_tables(self) -> TokenTables:
        ends = sorted(self.end_of_generation) or [self.n_tokens]
        return TokenTables(self._with_names(), ends, _SLICES)

    def _with_names(self) -> TokenBytes:
        """Returns the tokens with names for the special ones, and with the end that the tables have one more of. The
        names are unique, so that special tokens are kept apart from text that reads the same, and from each other."""
        names = {token: b"\xff<token %d>" % token for token in sorted(self.special)}
        if self.n_table_tokens > self.n_tokens:
            names[self.n_tokens] = b"\xff<end>"
        data, starts, ends = self._pieces.data, self._pieces.starts, self._pieces.ends
        lengths = np.zeros(self.n_table_tokens, np.uint32)
        lengths[: self.n_tokens] = self._pieces.lengths
        parts, position = [], 0
        for token, name in names.items():
            is_added = token == self.n_tokens
            start, end = (data.size, data.size) if is_added else (int(starts[token]), int(ends[token]))
            parts += [data[position:start].tobytes(), name]
            position = end
            lengths[token] = len(name)
        parts.append(data[position:].tobytes())
        return TokenBytes(np.frombuffer(b"".join(parts), np.uint8), lengths.cumsum(dtype=np.uint32))
