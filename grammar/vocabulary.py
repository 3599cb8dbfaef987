"""Vocabulary: the tokens of a model, as llguidance needs them."""

import re
from collections.abc import Collection, Mapping, Sequence

from llguidance import LLTokenizer, TokenizerWrapper

_NOT_TEXT = 0xFF
"""A byte that no UTF-8 text has. In llguidance it marks a special token."""


class _TokenTable(TokenizerWrapper):
    """The interface by which llguidance reads tokens."""

    def __init__(self, tokens: Sequence[bytes], special: Sequence[int], end: int) -> None:
        # Not super().__init__(), which tries to tokenize.
        self.tokens = tokens
        self.special_token_ids = special
        self.eos_token_id = end
        self.bos_token_id = None
        self.is_tokenizer_wrapper = True

    def __call__(self, text: str) -> list[int]:
        raise NotImplementedError("grammars that force no tokens need no tokenizer")


_PLAIN = r'[^"\\\x00-\x1F\x7F]'
"""A character that needs no escape in a JSON string."""
_SLICES = [r"[\x20\x0A\x0D\x09]+", *(f"{_PLAIN}{{1,{n}}}" for n in (2, 4, 6, 8, 10, 16, 30)), f"{_PLAIN}+"]
"""Slices: parts of the vocabulary for which llguidance has a precomputed mask, used if a grammar allows all of a part.
With more lengths than its default, masks within strings of limited length take a third less time."""


class GrammarVocabulary:
    """The tokens of a model and llguidance's tables of them. Immutable."""

    def __init__(
        self,
        pieces: Sequence[bytes],
        special: Collection[int],
        end_of_generation: Collection[int],
        special_texts: Mapping[str, int] | None = None,
    ) -> None:
        """Takes about half a second for a large vocabulary, and holds the GIL for half of that at a time.

        `pieces` are the bytes of each token as it appears in a text, empty for one that prints nothing. `special`
        tokens, and those that print nothing, are allowed only where a grammar names them, `end_of_generation` tokens
        only where it may end. `special_texts` are the texts by which a grammar can name special tokens.
        """
        self.n_tokens = len(pieces)
        self.end_of_generation = frozenset(end_of_generation)
        unprintable = {token for token, piece in enumerate(pieces) if not piece or piece[0] == _NOT_TEXT}
        self.special = unprintable.union(special, end_of_generation)
        """Tokens that are not text."""
        self._pieces = pieces
        has_letters = b"a" in pieces and b"b" in pieces
        self.letters = (pieces.index(b"a"), pieces.index(b"b")) if has_letters else ()
        """Two tokens of one letter each, if the model has them."""
        self._special_texts = special_texts or {}
        self.tokenizer = self._build_tables()

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
        piece = text.encode(errors="surrogatepass")
        return next((t for t, p in enumerate(self._pieces) if p == piece and t not in self.special), None)

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

    def _build_tables(self) -> LLTokenizer:
        # Unique names keep special tokens apart from text that reads the same, and from each other.
        tokens = [b"<token %d>" % t if t in self.special else piece for t, piece in enumerate(self._pieces)]
        ends = sorted(self.end_of_generation)
        if not ends:
            ends = [len(tokens)]
            tokens.append(b"<end>")
        tables = LLTokenizer(_TokenTable(tokens, sorted({*self.special, *ends}), ends[0]), eos_token=ends, slices=[])
        # A separate call, so that other threads can run in between: neither of the two releases the GIL.
        return tables.with_slices(_SLICES)
