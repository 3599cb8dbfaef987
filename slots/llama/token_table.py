"""Facts about all tokens of a vocabulary: compiled, in one pass; otherwise by asking for one token after the other."""

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from grammar.token_bytes import TokenBytes

try:
    from slots.llama import vocab_kernel

    _IS_COMPILED = True
except ImportError:  # there was no compiler at installation
    _IS_COMPILED = False

_BYTES_PER_TOKEN = 16
"""More than most vocabularies need on average."""


def read_flags(function: Any, vocab: int, n_tokens: int) -> npt.NDArray[np.bool_]:  # noqa: ANN401 - of ctypes
    """Returns for each token what a function of llama.cpp says that takes a vocabulary and a token, of shape
    (tokens,)."""
    flags = np.empty(n_tokens, np.uint8)
    if _IS_COMPILED:
        vocab_kernel.read_flags(_address(function), vocab, flags)
    else:
        flags[:] = [function(vocab, token) for token in range(n_tokens)]
    return flags.astype(np.bool_)


def read_pieces(function: Any, vocab: int, n_tokens: int, read_piece: Callable[[int], bytes]) -> TokenBytes:  # noqa: ANN401
    """Returns the bytes of all tokens; `function` is llama_token_to_piece, `read_piece` asks it for one token."""
    if not _IS_COMPILED:
        return TokenBytes.join([read_piece(token) for token in range(n_tokens)])
    ends = np.empty(n_tokens, np.uint32)
    capacity = _BYTES_PER_TOKEN * n_tokens
    while True:
        data = np.empty(capacity, np.uint8)
        if vocab_kernel.read_pieces(_address(function), vocab, data, ends):
            return TokenBytes(data[: ends[-1]].copy(), ends)
        capacity *= 2


def _address(function: Any) -> int:  # noqa: ANN401 - of ctypes
    return ctypes.cast(function, ctypes.c_void_p).value or 0
