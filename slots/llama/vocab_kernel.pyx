# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# distutils: language = c++
"""Questions about all tokens of a vocabulary, asked in one pass without the GIL.

llama.cpp answers for one token at a time. Its functions are passed as addresses, because the library is loaded by
llama-cpp-python, and only there.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uintptr_t
from libcpp cimport bool as cbool

ctypedef cbool (*IsTrue)(const void* vocab, int32_t token) noexcept nogil
ctypedef int32_t (*TokenToPiece)(
    const void* vocab, int32_t token, char* text, int32_t length, int32_t lstrip, cbool special
) noexcept nogil


def read_flags(uintptr_t function, uintptr_t vocab, uint8_t[::1] flags):
    """Write for each token what a function that takes a vocabulary and a token returns, 0 or 1."""
    cdef int32_t token
    cdef int32_t n_tokens = <int32_t> flags.shape[0]
    cdef IsTrue is_true = <IsTrue> function
    with nogil:
        for token in range(n_tokens):
            flags[token] = is_true(<const void*> vocab, token)


def read_pieces(uintptr_t function, uintptr_t vocab, uint8_t[::1] data, uint32_t[::1] ends):
    """Write the bytes of all tokens one after the other, and where each ends; `function` is llama_token_to_piece.
    Return False if `data` has no room for them."""
    cdef int32_t token, n_bytes
    cdef int32_t n_tokens = <int32_t> ends.shape[0]
    cdef int64_t position = 0, capacity = data.shape[0]
    cdef TokenToPiece to_piece = <TokenToPiece> function
    with nogil:
        for token in range(n_tokens):
            n_bytes = 0
            if position < capacity:
                n_bytes = to_piece(
                    <const void*> vocab, token, <char*> &data[position], <int32_t> (capacity - position), 0, True
                )
            if position >= capacity or n_bytes < 0:
                position = -1
                break
            position += n_bytes
            ends[token] = <uint32_t> position
    return position >= 0
