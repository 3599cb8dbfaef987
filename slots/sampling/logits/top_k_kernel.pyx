# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# distutils: language = c++
"""The largest logits of rows, found in one pass over each.

A row is cut into groups of `DEPTH` times `LANES` logits, and of each lane of a group the largest logit is kept. The
k-th largest of these maxima, or of some of them, is a lower bound of the k-th largest logit: few lanes reach it, and
only those are looked into. The inner loops are such that compilers make vector instructions of them.

Rows are shared out with OpenMP, as llama.cpp shares out its matrices: its threads still wait for work just after a step
was computed, while others would first have to be woken.
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
    LINE = 16  # logits that come from memory together
    AHEAD = 2048  # logits between those that are looked at and those that are fetched from memory meanwhile
    MAXIMA_FOR_EACH = 4  # of those that a bound is looked for among, for each logit that is asked for
    SPARE_KEYS = 1024


def top_k_rows(
    const float[:, ::1] logits,
    const Py_ssize_t[::1] rows,
    const Py_ssize_t[::1] ks,
    Py_ssize_t[:, ::1] tokens,
    float[:, ::1] largest,
    int n_threads,
):
    """Writes the `ks` largest logits of some rows, shape (rows, most of ks), the largest first, and their tokens, the
    lower one first among equals; `rows` are places in `logits`. What is left of a row is filled with -inf and token 0.

    Returns False where that fails: a logit is no number, or logits cannot be added up since they are infinite both ways;
    a row has fewer lanes than its k; there is no memory. Raises ValueError where the arrays do not fit each other.

    There may be more threads than rows: to ask for fewer than llama.cpp does would end the others.
    """
    cdef Py_ssize_t number, n_rows = rows.shape[0], most = tokens.shape[1]
    cdef int n_failed = 0
    if not (ks.shape[0] == tokens.shape[0] == largest.shape[0] == n_rows and largest.shape[1] == most):
        raise ValueError("expected as many ks, tokens and logits as rows")
    for number in range(n_rows):
        if not (0 <= rows[number] < logits.shape[0] and 1 <= ks[number] <= most):
            raise ValueError(f"expected a row of {logits.shape[0]} and a k from 1 to {most}")
    for number in prange(
        n_rows, nogil=True, num_threads=n_threads, use_threads_if=n_threads > 1, schedule="static"
    ):
        n_failed += not largest_of_row(
            &logits[rows[number], 0], logits.shape[1], ks[number],
            &tokens[number, 0], &largest[number, 0], most,
        )
    return n_failed == 0


cdef bint largest_of_row(
    const float* row, Py_ssize_t n, Py_ssize_t k, Py_ssize_t* tokens, float* largest, Py_ssize_t n_columns
) noexcept nogil:
    cdef Py_ssize_t room = 2 * k + SPARE_KEYS, n_maxima = n // GROUP * LANES, n_keys, i
    cdef int64_t* keys
    cdef float* maxima
    if n_maxima < k:
        return False
    keys = <int64_t*>malloc(room * sizeof(int64_t) + 2 * n_maxima * sizeof(float))
    if keys == NULL:
        return False
    maxima = <float*>(keys + room)
    if isnan(fold(row, n, maxima)):
        free(keys)
        return False
    n_keys = collect(row, n, k, maxima, lower_bound(maxima, n_maxima, k), keys, room)
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
    """The largest logit of each lane of each group. Returns the sum of the row, which is no number if a logit is none."""
    cdef float[LANES] totals
    cdef float total = 0, of_lane, logit, top
    cdef Py_ssize_t group, lane, place
    cdef const float* start
    cdef float* out
    for lane in range(LANES):
        totals[lane] = 0
    for group in range(n // GROUP):
        start = row + group * GROUP
        out = maxima + group * LANES
        for place in range(GROUP // LINE):
            PREFETCH(start + AHEAD + place * LINE)
        for lane in range(LANES):
            top = start[lane]
            of_lane = top
            for place in range(1, DEPTH):
                logit = start[place * LANES + lane]
                top = top if top > logit else logit
                of_lane = of_lane + logit
            out[lane] = top
            totals[lane] = totals[lane] + of_lane
    for lane in range(LANES):
        total += totals[lane]
    for place in range(n // GROUP * GROUP, n):
        total += row[place]
    return total


cdef float lower_bound(float* maxima, Py_ssize_t n_maxima, Py_ssize_t k) noexcept nogil:
    """Of the k-th largest logit. Behind the maxima there is room for as many again."""
    cdef Py_ssize_t n_folds = max(n_maxima // (MAXIMA_FOR_EACH * k), 1), n = n_maxima // n_folds, fold, i
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
    const float* row, Py_ssize_t n, Py_ssize_t k, const float* maxima, float bound, int64_t* keys, Py_ssize_t room
) noexcept nogil:
    """The keys of the k largest logits, in any order; there is room for more than k. Returns how many there are."""
    cdef Py_ssize_t n_keys = 0, group, lane, place, token
    cdef const float* of_group
    cdef int reaches
    for group in range(n // GROUP):
        of_group = maxima + group * LANES
        reaches = 0
        for lane in range(LANES):
            reaches |= of_group[lane] >= bound
        if not reaches:
            continue
        for lane in range(LANES):
            if of_group[lane] < bound:
                continue
            for place in range(DEPTH):
                token = group * GROUP + place * LANES + lane
                if row[token] >= bound:
                    keys[n_keys] = key_of(row[token], token)
                    n_keys += 1
            if n_keys > room - DEPTH:
                nth_element(keys, keys + (k - 1), keys + n_keys)
                n_keys = k
                bound = row[<uint32_t>keys[k - 1]]
    for token in range(n // GROUP * GROUP, n):
        if row[token] >= bound:
            keys[n_keys] = key_of(row[token], token)
            n_keys += 1
            if n_keys == room:
                nth_element(keys, keys + (k - 1), keys + n_keys)
                n_keys = k
    if n_keys > k:
        nth_element(keys, keys + (k - 1), keys + n_keys)
        n_keys = k
    return n_keys


cdef inline int64_t key_of(float logit, Py_ssize_t token) noexcept nogil:
    """An integer that orders by falling logit, and then by token."""
    cdef float negated = <float>0 - logit  # which makes one of the two zeros
    cdef int32_t bits
    memcpy(&bits, &negated, sizeof(bits))
    bits ^= (bits >> 31) & 0x7FFFFFFF
    return (<int64_t>(<uint64_t>bits << 32)) | token
