# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# distutils: language = c++
"""Top-k of rows of logits, in one pass over each row.

A row is divided into groups of `DEPTH` times `LANES` logits, and the maximum of each lane of a group is kept. The k-th
largest of these maxima, or of some of them, is a lower bound of the k-th largest logit: only the few lanes that reach
it are searched. Compilers can vectorize the inner loops.

Rows are distributed with OpenMP, like llama.cpp's matrices: its threads still spin just after a step, while others
would first have to be woken.
"""

from cython.parallel cimport prange
from libc.math cimport INFINITY, isnan
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy
from libcpp.algorithm cimport nth_element, sort

cdef extern from *:
    """
    #ifdef __GNUC__
    #define PREFETCH(address) __builtin_prefetch(address)
    #else
    #define PREFETCH(address)
    #endif
    """
    void PREFETCH(const void* address) noexcept nogil

cdef enum:
    LANES = 16
    DEPTH = 16
    GROUP = 256  # LANES * DEPTH
    LINE = 16  # logits in a cache line
    PREFETCH_DISTANCE = 2048  # in logits
    MAXIMA_PER_K = 4  # that the bound is computed from
    SPARE_KEYS = 1024


def top_k_rows(
    const float[:, ::1] logits,
    const Py_ssize_t[::1] rows,
    const Py_ssize_t[::1] ks,
    Py_ssize_t[:, ::1] tokens,
    float[:, ::1] largest,
    int n_threads,
):
    """Write the `ks` largest logits of some rows, shape (rows, maximum of ks), by falling logit, and their tokens, the
    lower one first among equals; `rows` are indices into `logits`. Rows are padded with -inf and token 0.

    Returns False if that fails: the sum of the logits is NaN, a row has fewer lanes than its k, or memory is exhausted.
    Raises ValueError if the arrays' shapes do not match.

    There may be more threads than rows: asking for fewer threads than llama.cpp does would end the others.
    """
    cdef Py_ssize_t i, n_rows = rows.shape[0], max_k = tokens.shape[1]
    cdef int n_failed = 0
    if not (ks.shape[0] == tokens.shape[0] == largest.shape[0] == n_rows and largest.shape[1] == max_k):
        raise ValueError("expected as many ks, tokens and logits as rows")
    for i in range(n_rows):
        if not (0 <= rows[i] < logits.shape[0] and 1 <= ks[i] <= max_k):
            raise ValueError(f"expected a row of {logits.shape[0]} and a k from 1 to {max_k}")
    for i in prange(
        n_rows, nogil=True, num_threads=n_threads, use_threads_if=n_threads > 1, schedule="static"
    ):
        n_failed += not top_k_row(
            &logits[rows[i], 0], logits.shape[1], ks[i],
            &tokens[i, 0], &largest[i, 0], max_k,
        )
    return n_failed == 0


cdef bint top_k_row(
    const float* row, Py_ssize_t n, Py_ssize_t k, Py_ssize_t* tokens, float* largest, Py_ssize_t n_columns
) noexcept nogil:
    cdef Py_ssize_t capacity = 2 * k + SPARE_KEYS, n_maxima = n // GROUP * LANES, n_keys, i
    cdef int64_t* keys
    cdef float* maxima
    if n_maxima < k:
        return False
    keys = <int64_t*>malloc(capacity * sizeof(int64_t) + 2 * n_maxima * sizeof(float))
    if keys == NULL:
        return False
    maxima = <float*>(keys + capacity)
    if isnan(fold(row, n, maxima)):
        free(keys)
        return False
    n_keys = collect(row, n, k, maxima, lower_bound(maxima, n_maxima, k), keys, capacity)
    sort(keys, keys + n_keys)
    for i in range(n_keys):
        tokens[i] = <uint32_t>keys[i]
        largest[i] = row[tokens[i]]
    for i in range(n_keys, n_columns):
        tokens[i] = 0
        largest[i] = -INFINITY
    free(keys)
    return True


cdef float fold(const float* row, Py_ssize_t n, float* maxima) noexcept nogil:
    """Write the maximum of each lane of each group. Returns the sum of the row, which is NaN if a logit is."""
    cdef float[LANES] totals
    cdef float total = 0, lane_total, logit, top
    cdef Py_ssize_t group, lane, i
    cdef const float* start
    cdef float* out
    for lane in range(LANES):
        totals[lane] = 0
    for group in range(n // GROUP):
        start = row + group * GROUP
        out = maxima + group * LANES
        for i in range(GROUP // LINE):
            PREFETCH(start + PREFETCH_DISTANCE + i * LINE)
        for lane in range(LANES):
            top = start[lane]
            lane_total = top
            for i in range(1, DEPTH):
                logit = start[i * LANES + lane]
                top = top if top > logit else logit
                lane_total = lane_total + logit
            out[lane] = top
            totals[lane] = totals[lane] + lane_total
    for lane in range(LANES):
        total += totals[lane]
    for i in range(n // GROUP * GROUP, n):
        total += row[i]
    return total


cdef float lower_bound(float* maxima, Py_ssize_t n_maxima, Py_ssize_t k) noexcept nogil:
    """A lower bound of the k-th largest logit. `maxima` is a buffer of twice `n_maxima`."""
    cdef Py_ssize_t n_folds = max(n_maxima // (MAXIMA_PER_K * k), 1), n = n_maxima // n_folds, fold, i
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
    const float* row, Py_ssize_t n, Py_ssize_t k, const float* maxima, float bound, int64_t* keys, Py_ssize_t capacity
) noexcept nogil:
    """Write the keys of the k largest logits, in any order. Returns how many there are. `capacity` exceeds k."""
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
            if n_keys > capacity - DEPTH:
                nth_element(keys, keys + (k - 1), keys + n_keys)
                n_keys = k
                bound = row[<uint32_t>keys[k - 1]]
    for token in range(n // GROUP * GROUP, n):
        if row[token] >= bound:
            keys[n_keys] = key_of(row[token], token)
            n_keys += 1
            if n_keys == capacity:
                nth_element(keys, keys + (k - 1), keys + n_keys)
                n_keys = k
    if n_keys > k:
        nth_element(keys, keys + (k - 1), keys + n_keys)
        n_keys = k
    return n_keys


cdef inline int64_t key_of(float logit, Py_ssize_t token) noexcept nogil:
    """An integer that orders by falling logit, then by token."""
    cdef float negated = <float>0 - logit  # makes the two zeros equal
    cdef int32_t bits
    memcpy(&bits, &negated, sizeof(bits))
    bits ^= (bits >> 31) & 0x7FFFFFFF
    return (<int64_t>(<uint64_t>bits << 32)) | token
