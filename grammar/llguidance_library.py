"""llguidance through its C interface, which its Python package exports, too (llguidance.h): unlike the classes of that
package it builds the tables of a vocabulary without the GIL, and from bytes in one array.

Only this file of the package uses ctypes. Its functions trust their arguments; here they are made by the types.
"""

import ctypes
import weakref
from collections.abc import Sequence
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from grammar.limits import ParserLimits
from grammar.token_bytes import TokenBytes

_INT32, _UINT32, _SIZE, _POINTER, _TEXT = (
    ctypes.c_int32,
    ctypes.c_uint32,
    ctypes.c_size_t,
    ctypes.c_void_p,
    ctypes.c_char_p,
)
_ERROR_BYTES = 1024
_LARK = b"lark"


class TokenizerParameters(ctypes.Structure):
    """LlgTokenizerInitV2."""

    _fields_ = (
        ("struct_size", _SIZE),
        ("vocab_size", _UINT32),
        ("tok_eos", _UINT32),
        ("token_lens", _POINTER),
        ("token_bytes", _POINTER),
        ("tokenizer_json", _TEXT),
        ("tokenize_assumes_string", ctypes.c_bool),
        ("tokenize_fn", _POINTER),
        ("use_approximate_greedy_tokenize_fn", ctypes.c_bool),
        ("tokenize_user_data", _POINTER),
        ("slices", ctypes.POINTER(_TEXT)),
        ("tok_eos_extra", _POINTER),
        ("tok_eos_extra_count", _UINT32),
    )


class Limits(ctypes.Structure):
    """LlgParserLimits."""

    _fields_ = (
        ("max_items_in_row", _SIZE),
        ("initial_lexer_fuel", ctypes.c_uint64),
        ("step_lexer_fuel", ctypes.c_uint64),
        ("step_max_items", _SIZE),
        ("max_lexer_states", _SIZE),
        ("max_grammar_size", _SIZE),
        ("precompute_large_lexemes", ctypes.c_bool),
        ("verbose_errors", ctypes.c_bool),
    )


class MatcherParameters(ctypes.Structure):
    """LlgConstraintInit."""

    _fields_ = (
        ("tokenizer", _POINTER),
        ("log_buffer_level", _UINT32),
        ("log_stderr_level", _UINT32),
        ("ff_tokens_ok", ctypes.c_bool),
        ("backtrack_ok", ctypes.c_bool),
        ("limits", Limits),
    )


class Library:
    """The functions that are used. Those that may take long release the GIL. The others keep it: to get it back would
    take longer than they do."""

    def __init__(self) -> None:
        path = str(_library_path())
        without_gil, with_gil = ctypes.CDLL(path), ctypes.PyDLL(path)
        matcher = (_POINTER,)
        self.new_tokenizer = _function(
            without_gil.llg_new_tokenizer_v2, _POINTER, ctypes.POINTER(TokenizerParameters), _TEXT, _SIZE
        )
        self.free_tokenizer = _function(without_gil.llg_free_tokenizer, None, _POINTER)
        self.set_defaults = _function(
            with_gil.llg_constraint_init_set_defaults, None, ctypes.POINTER(MatcherParameters), _POINTER
        )
        self.new_matcher = _function(
            without_gil.llg_new_matcher, _POINTER, ctypes.POINTER(MatcherParameters), _TEXT, _TEXT
        )
        self.clone_matcher = _function(with_gil.llg_clone_matcher, _POINTER, *matcher)
        self.free_matcher = _function(without_gil.llg_free_matcher, None, *matcher)
        self.compute_mask = _function(without_gil.llg_matcher_compute_mask_into, _INT32, *matcher, _POINTER, _SIZE)
        self.consume_token = _function(with_gil.llg_matcher_consume_token, _INT32, *matcher, _UINT32)
        self.validate_tokens = _function(with_gil.llg_matcher_validate_tokens, _INT32, *matcher, _POINTER, _SIZE)
        self.is_stopped = _function(with_gil.llg_matcher_is_stopped, ctypes.c_bool, *matcher)
        self.is_accepting = _function(with_gil.llg_matcher_is_accepting, ctypes.c_bool, *matcher)
        self.is_error = _function(with_gil.llg_matcher_is_error, ctypes.c_bool, *matcher)
        self.get_error = _function(with_gil.llg_matcher_get_error, _TEXT, *matcher)


class TokenTables:
    """llguidance's tables of a vocabulary. Thread-safe."""

    def __init__(self, tokens: TokenBytes, ends: Sequence[int], slices: Sequence[str]) -> None:
        """Builds them, which takes about a second for a large vocabulary, without the GIL.

        A token that starts with the byte 0xFF is a special one. `ends` are the end-of-generation tokens, at least one.
        `slices` are the regular expressions of parts of the vocabulary with a mask of their own. Raises RuntimeError
        if llguidance refuses them.
        """
        self.library = library = load_library()
        self.ends = frozenset(ends)
        lengths, data = np.ascontiguousarray(tokens.lengths, np.uint32), np.ascontiguousarray(tokens.data)
        more_ends = np.array(ends[1:], np.uint32)
        parameters = TokenizerParameters(
            struct_size=ctypes.sizeof(TokenizerParameters),
            vocab_size=len(tokens),
            tok_eos=ends[0],
            token_lens=lengths.ctypes.data,
            token_bytes=data.ctypes.data,
            use_approximate_greedy_tokenize_fn=True,  # none is called: no grammar forces tokens
            slices=(_TEXT * (len(slices) + 1))(*map(str.encode, slices)),
            tok_eos_extra=more_ends.ctypes.data,
            tok_eos_extra_count=more_ends.size,
        )
        error = ctypes.create_string_buffer(_ERROR_BYTES)
        self.handle = library.new_tokenizer(ctypes.byref(parameters), error, len(error))
        if not self.handle:
            raise RuntimeError(f"llguidance cannot build its tables: {error.value.decode(errors='replace')}")
        _free_with(self, library.free_tokenizer, self.handle)


class NativeMatcher:
    """The state of a text in a grammar. Used by one thread at a time."""

    def __init__(self, tables: TokenTables, handle: int) -> None:
        """Owns what the handle points to."""
        self._tables = tables  # kept alive as long as this is
        self._library = tables.library
        self._handle = handle
        self._token = _UINT32()
        _free_with(self, self._library.free_matcher, handle)

    @classmethod
    def compile(cls, tables: TokenTables, lark: str, limits: ParserLimits) -> "NativeMatcher":
        """Compiles a grammar, without the GIL. For one that is wrong the result is in an error state. Raises
        ValueError for a NUL in it."""
        if "\0" in lark:
            raise ValueError("a grammar for llguidance cannot contain NUL")
        parameters = MatcherParameters()
        tables.library.set_defaults(ctypes.byref(parameters), tables.handle)
        parameters.log_stderr_level = 0
        for name, value in limits.items():
            setattr(parameters.limits, name, value)
        return cls(tables, tables.library.new_matcher(ctypes.byref(parameters), _LARK, lark.encode()))

    def copy(self) -> "NativeMatcher":
        return NativeMatcher(self._tables, self._library.clone_matcher(self._handle))

    def compute_mask(self, words: npt.NDArray[np.uint32]) -> None:
        """Writes the bitmask of the tokens allowed next, as many words as the vocabulary has, without the GIL. In an
        error state, also one that this leads to, the words are undefined."""
        self._library.compute_mask(self._handle, words.ctypes.data, words.nbytes)

    def consume_token(self, token: int) -> bool:
        """Advances by a token; returns False, in an error state, if it is not allowed."""
        if token in self._tables.ends and self._library.is_stopped(self._handle):
            return True  # llguidance has ended the text already, as nothing else may follow
        return bool(self._library.consume_token(self._handle, token) == 0)

    def allows(self, token: int) -> bool:
        self._token.value = token
        return bool(self._library.validate_tokens(self._handle, ctypes.addressof(self._token), 1) == 1)

    @property
    def is_accepting(self) -> bool:
        """Whether the text may end here."""
        return bool(self._library.is_accepting(self._handle))

    @property
    def error(self) -> str | None:
        """The message of an error state, which never ends; None in any other."""
        if not self._library.is_error(self._handle):
            return None
        message: bytes = self._library.get_error(self._handle)
        return message.decode(errors="replace")


@cache
def load_library() -> Library:
    """Returns the library, which is loaded once. Raises RuntimeError if the package or a function of it is missing."""
    try:
        return Library()
    except (OSError, AttributeError) as error:
        raise RuntimeError(f"llguidance cannot be loaded: {error}") from None


def _library_path() -> Path:
    """Returns the file of llguidance's extension module, found without running the package."""
    package = find_spec("llguidance")
    folders = (package.submodule_search_locations if package else None) or ()
    for folder in map(Path, folders):
        for suffix in EXTENSION_SUFFIXES:
            if (path := folder / f"_lib{suffix}").exists():
                return path
    raise OSError("the package llguidance has no extension module")


def _function(function: Any, result: Any, *arguments: Any) -> Any:  # noqa: ANN401 - as ctypes has it
    function.restype = result
    function.argtypes = arguments
    return function


def _free_with(owner: object, free: Any, handle: int) -> None:  # noqa: ANN401 - as ctypes has it
    """Frees the handle with the last reference to its owner."""
    # At exit other threads may still use it; the process frees the memory anyway.
    weakref.finalize(owner, free, handle).atexit = False
