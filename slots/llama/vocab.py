"""Vocabulary: converts between tokens and text."""

import ctypes
import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import llama_cpp.llama_cpp as lib

from grammar.deep_stack import run_on_deep_stack
from grammar.token_bytes import TokenBytes
from slots.errors import UnbrokenTextError
from slots.llama.token_table import read_flags, read_pieces
from slots.llama.weights import Weights

MAX_UNBROKEN = 1_000_000
"""Maximum length in characters of a stretch with no white space, or only white space, in a text to tokenize."""

_SHALLOW_CHARACTERS = 8_192
"""Several of llama.cpp's tokenizers split text with a regular expression that recurses for each character of a match,
and overflow a default stack at about ten thousand characters. Shorter texts are safe."""
_UNBROKEN = re.compile(r"\S+|\s+")
_ShortPiece = ctypes.c_char * 64
"""A buffer in which nearly every piece has room. A type that is made for each call is cyclic garbage after it."""
_KINDS = {0: "none", 1: "spm", 2: "bpe", 3: "wpm", 4: "ugm", 5: "rwkv", 6: "plamo2"}


def _true_tokens(function: Any, vocab: int, n_tokens: int) -> list[int]:  # noqa: ANN401 - of ctypes
    tokens: list[int] = read_flags(function, vocab, n_tokens).nonzero()[0].tolist()
    return tokens


def _token_or_none(token: int) -> int | None:
    return token if token >= 0 else None


class Vocab:
    """The model's tokens. Thread-safe. A method that takes a token raises ValueError for an unknown id."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights  # the handle points into them
        self._handle = handle = lib.llama_model_get_vocab(weights.handle)
        self.n_tokens: int = lib.llama_vocab_n_tokens(handle)
        self.kind = _KINDS.get(lib.llama_vocab_type(handle), "unknown")
        self.add_bos = bool(lib.llama_vocab_get_add_bos(handle))
        self.add_eos = bool(lib.llama_vocab_get_add_eos(handle))
        self.add_sep = bool(lib.llama_vocab_get_add_sep(handle))
        self.bos = _token_or_none(lib.llama_vocab_bos(handle))
        self.eos = _token_or_none(lib.llama_vocab_eos(handle))
        self.sep = _token_or_none(lib.llama_vocab_sep(handle))
        """Between two texts of one input, such as a query and a document."""
        self.eot = _token_or_none(lib.llama_vocab_eot(handle))
        self.newline = _token_or_none(lib.llama_vocab_nl(handle))
        self.fim_pre = _token_or_none(lib.llama_vocab_fim_pre(handle))
        """Fill-in-the-middle tokens: `fim_pre` is before the prefix, `fim_suf` before the suffix, `fim_mid` before the
        middle, `fim_rep` before a repository's name, `fim_sep` before a file."""
        self.fim_suf = _token_or_none(lib.llama_vocab_fim_suf(handle))
        self.fim_mid = _token_or_none(lib.llama_vocab_fim_mid(handle))
        self.fim_rep = _token_or_none(lib.llama_vocab_fim_rep(handle))
        self.fim_sep = _token_or_none(lib.llama_vocab_fim_sep(handle))
        self.suppressed = frozenset(self._read_suppressed())
        """Tokens that are never generated, by the model's header."""
        self.end_of_generation = frozenset(_true_tokens(lib.llama_vocab_is_eog, handle, self.n_tokens))
        self._pieces: dict[int, bytes] = {}
        self._texts: dict[int, bytes] = {}
        """Of the tokens that were asked for."""

    def is_control(self, token: int) -> bool:
        """Whether a token controls the model and has no text of its own."""
        self._check(token)
        return bool(lib.llama_vocab_is_control(self._handle, token))

    @cached_property
    def control_tokens(self) -> frozenset[int]:
        """All tokens for which `is_control` is true."""
        return frozenset(_true_tokens(lib.llama_vocab_is_control, self._handle, self.n_tokens))

    def read_pieces(self) -> TokenBytes:
        """Returns what `piece` does for all tokens."""
        return read_pieces(lib.llama_token_to_piece, self._handle, self.n_tokens, self._read_piece)

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """Returns the tokens of a prompt, to which some vocabularies prepend a space. `add_special` adds BOS and EOS as
        the model's header says, `parse_special` recognizes special tokens in the text. Raises UnicodeEncodeError for a
        lone surrogate, and UnbrokenTextError."""
        if len(text) <= _SHALLOW_CHARACTERS:
            return self._tokenize(text.encode(), add_special, parse_special)
        max_length = max(stretch.end() - stretch.start() for stretch in _UNBROKEN.finditer(text))
        if max_length > MAX_UNBROKEN:
            raise UnbrokenTextError(
                f"expected white space, or its end, every {MAX_UNBROKEN} characters, got a stretch of {max_length}"
            )
        return run_on_deep_stack(lambda: self._tokenize(text.encode(), add_special, parse_special))

    def tokenize_bytes(self, data: bytes) -> list[int]:
        """Returns the tokens of a few bytes, which need not be complete characters, without special tokens."""
        return self._tokenize(data, add_special=False, parse_special=False)

    def _tokenize(self, data: bytes, add_special: bool, parse_special: bool) -> list[int]:
        capacity = len(data) + 16
        while True:
            tokens = (lib.llama_token * capacity)()
            n = lib.llama_tokenize(self._handle, data, len(data), tokens, capacity, add_special, parse_special)
            if n >= 0:
                return tokens[:n]
            capacity = -n

    def tokenize_plain(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """Returns tokens as `tokenize` does, but without a prepended space, so that `detokenize` is its inverse.

        A SentencePiece vocabulary prepends a space to the first word. Here a newline is prepended that takes the space,
        and its tokens are removed again.
        """
        if self.kind == "spm" and text:
            newline_tokens = self.tokenize("\n", add_special=add_special, parse_special=False)
            tokens = self.tokenize("\n" + text, add_special=add_special, parse_special=parse_special)
            if tokens[: len(newline_tokens)] == newline_tokens:
                start = newline_tokens[:1] if add_special and self.add_bos else []
                return start + tokens[len(newline_tokens) :]
        return self.tokenize(text, add_special=add_special, parse_special=parse_special)

    def piece(self, token: int) -> bytes:
        """Returns the bytes of one token, which need not be complete characters."""
        self._check(token)
        cached = self._pieces.get(token)
        if cached is None:
            cached = self._pieces[token] = self._read_piece(token)
        return cached

    def token_name(self, token: int) -> bytes:
        """Returns the name of a token in the model's header."""
        self._check(token)
        name: bytes = lib.llama_vocab_get_text(self._handle, token)
        return name

    def output_bytes(self, token: int) -> bytes:
        """Returns the bytes that a generated token adds to a text: none if it controls the model."""
        cached = self._texts.get(token)
        if cached is None:  # `is_control` checks the token
            cached = self._texts[token] = b"" if self.is_control(token) else self.piece(token)
        return cached

    def detokenize(self, tokens: Sequence[int]) -> bytes:
        """Returns the bytes of tokens, including special ones."""
        return b"".join(map(self.piece, tokens))

    def display(self, token: int) -> str:
        """Returns the text of one token, with U+FFFD for incomplete characters."""
        return self.piece(token).decode(errors="replace")

    def display_all(self, tokens: Sequence[int]) -> str:
        """Returns the text of tokens, with U+FFFD for incomplete characters."""
        return self.detokenize(tokens).decode(errors="replace")

    def _read_suppressed(self) -> Sequence[int]:
        n = ctypes.c_int32()
        tokens = lib.llama_vocab_get_suppress_tokens(self._handle, ctypes.byref(n))
        return tokens[: n.value] if n.value > 0 else ()

    def _read_piece(self, token: int) -> bytes:
        buffer = _ShortPiece()
        n = lib.llama_token_to_piece(self._handle, token, buffer, len(buffer), 0, True)
        if n < 0:
            buffer = ctypes.create_string_buffer(-n)
            n = lib.llama_token_to_piece(self._handle, token, buffer, len(buffer), 0, True)
        return buffer.raw[:n]

    def _check(self, token: int) -> None:
        if not 0 <= token < self.n_tokens:
            raise ValueError(f"token {token} is not in the vocabulary, 0 to {self.n_tokens - 1}")
