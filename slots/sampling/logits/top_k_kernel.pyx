# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# distutils: language = c++
"""Top-k of a row of logits, in one pass over it.

A row is divided into groups of `DEPTH` times `LANES` logits, and the maximum of each lane of a group is kept. The k-th
largest of these maxima, or of some of them, is a lower bound of the k-th largest logit: only the few lanes that reach
it are searched. The pass is in C, so that a compiler can make it for several kinds of processors.
"""

from libc.math cimport INFINITY, isnan
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy
from libcpp.algorithm cimport nth_element, sort

cdef extern from *:
    """
    #ifdef __GNUC__
    #define LOWEST_BIT(word) __builtin_ctz(word)
    #else
    #include <intrin.h>
    static inline int LOWEST_BIT(unsigned long word) { unsigned long i; _BitScanForward(&i, word); return (int)i; }
    #endif
    """
    int LOWEST_BIT(uint32_t word) noexcept nogil

cdef extern from "fold.h":
    enum:
        LANES
        DEPTH
        GROUP  # LANES * DEPTH
    float fold(const float* row, Py_ssize_t n, float* maxima) noexcept nogil

cdef enum:
    MAXIMA_PER_K = 4  # that the bound is computed from


def top_k(const float[::1] row, Py_ssize_t[::1] tokens):
    """Write the tokens of the largest logits of a row, as many as `tokens` has room for and at most all, by falling
    logit, the lower token first among equals. Returns how many there are; -1 if a logit is NaN.

    Raises MemoryError.
    """
    cdef Py_ssize_t k = tokens.shape[0], n = row.shape[0], n_keys, i
    cdef int64_t* keys
    if n == 0 or k == 0:
        return 0
    keys = <int64_t*>malloc((2 * k + SPARE_KEYS) * sizeof(int64_t) + maxima_size(n) * sizeof(float))
    if keys == NULL:
        raise MemoryError
    n_keys = find_top_k(&row[0], n, k, NULL, <float*>(keys + 2 * k + SPARE_KEYS), keys)
    for i in range(n_keys):
        tokens[i] = <uint32_t>keys[i]
    free(keys)
    return n_keys


cdef Py_ssize_t maxima_size(Py_ssize_t n) noexcept nogil:
    """How many numbers the buffer for the maxima of a row of n logits holds."""
    return 2 * (n // GROUP * LANES)


cdef Py_ssize_t find_top_k(
    const float* row, Py_ssize_t n, Py_ssize_t k, const uint32_t* few, float* maxima, int64_t* keys
) noexcept nogil:
    """Write the keys of the k largest logits of a row of n, by falling logit, the lower token first among equals. The
    token is in the lower half of its key. Returns how many there are, fewer than k if there are fewer tokens; -1 if a
    logit is NaN.

    Unless `few` is NULL, only its tokens are looked at, one by one: a set as words of 32 bits. `maxima` has room for
    `maxima_size` numbers, `keys` for 2 * k + SPARE_KEYS.
    """
    cdef Py_ssize_t n_maxima = n // GROUP * LANES, n_keys
    if few != NULL or n_maxima < k:
        n_keys = collect_all(row, n, k, few, keys)
        if n_keys < 0:
            return -1
    else:
        if isnan(fold(row, n, maxima)) and has_nan(row, n):
            return -1
        n_keys = collect(row, n, k, maxima, lower_bound(maxima, n_maxima, k), keys)
    n_keys = keep_largest(keys, n_keys, k)
    sort(keys, keys + n_keys)
    return n_keys


cdef bint has_nan(const float* row, Py_ssize_t n) noexcept nogil:
    """Whether a logit is NaN. Their sum is NaN, too, if there are infinite ones of both signs."""
    cdef Py_ssize_t token
    for token in range(n):
        if isnan(row[token]):
            return True
    return False


cdef float lower_bound(float* maxima, Py_ssize_t n_maxima, Py_ssize_t k) noexcept nogil:
    """A lower bound of the k-th largest logit. `maxima` is a buffer of twice `n_maxima`."""
    cdef Py_ssize_t n_folds = max(n_maxima // max(MAXIMA_PER_K * k, GROUP), 1), n = n_maxima // n_folds, fold, i
    cdef float* folded = maxima + n_maxima
    cdef float* more
    memcpy(folded, maxima, n * sizeof(float))
    for fold in range(1, n_folds):
        more = maxima + fold * n
        for i in range(n):
            folded[i] = folded[i] if folded[i] > more[i] else more[i]
    nth_element(folded, folded + (n - k), folded + n)
    return folded[n - k]


cdef Py_ssize_t collect(
    const float* row, Py_ssize_t n, Py_ssize_t k, const float* maxima, float bound, int64_t* keys
) noexcept nogil:
    """Write the keys of the k largest logits and perhaps of others, in any order. Returns how many."""
    cdef Py_ssize_t n_keys = 0, group, lane, i, token
    cdef const float* group_maxima
    cdef int reaches
    for group in range(n // GROUP):
        group_maxima = maxima + group * LANES
        reaches = 0
        for lane in range(LANES):
            reaches |= group_maxima[lane] >= bound
        if not reaches:
            continue
        for lane in range(LANES):
            if group_maxima[lane] < bound:
                continue
            for i in range(DEPTH):
                token = group * GROUP + i * LANES + lane
                if row[token] >= bound:
                    keys[n_keys] = key_of(row[token], token)
                    n_keys += 1
            if n_keys > 2 * k + SPARE_KEYS - DEPTH:
                n_keys = keep_largest(keys, n_keys, k)
                bound = row[<uint32_t>keys[k - 1]]
    for token in range(n // GROUP * GROUP, n):
        if row[token] >= bound:
            n_keys = add_key(keys, n_keys, k, key_of(row[token], token))
    return n_keys


cdef Py_ssize_t collect_all(
    const float* row, Py_ssize_t n, Py_ssize_t k, const uint32_t* few, int64_t* keys
) noexcept nogil:
    """As `collect`, one token after the other. Returns -1 if a logit is NaN."""
    cdef Py_ssize_t n_keys = 0, word, token
    cdef uint32_t bits
    for word in range((n + 31) >> 5):
        bits = 0xFFFFFFFF if few == NULL else few[word]
        while bits:
            token = (word << 5) + LOWEST_BIT(bits)
            bits &= bits - 1
            if token >= n:
                break
            if isnan(row[token]):
                return -1
            n_keys = add_key(keys, n_keys, k, key_of(row[token], token))
    return n_keys


cdef inline Py_ssize_t add_key(int64_t* keys, Py_ssize_t n_keys, Py_ssize_t k, int64_t key) noexcept nogil:
    if n_keys == 2 * k + SPARE_KEYS:
        n_keys = keep_largest(keys, n_keys, k)
    keys[n_keys] = key
    return n_keys + 1


cdef Py_ssize_t keep_largest(int64_t* keys, Py_ssize_t n_keys, Py_ssize_t k) noexcept nogil:
    """Move the keys of the k largest logits to the front, that of the smallest of them last. Returns how many."""
    if n_keys <= k:
        return n_keys
    nth_element(keys, keys + (k - 1), keys + n_keys)
    return k


cdef inline int64_t key_of(float logit, Py_ssize_t token) noexcept nogil:
    """An integer that orders by falling logit, then by token."""
    cdef float negated = <float>0 - logit  # makes the two zeros equal
    cdef int32_t bits
    memcpy(&bits, &negated, sizeof(bits))
    bits ^= (bits >> 31) & 0x7FFFFFFF
    return (<int64_t>(<uint64_t>bits << 32)) | token
