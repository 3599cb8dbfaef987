# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# distutils: language = c++
"""Chooses the tokens of rows of logits: biases, penalties, a mask, top-k, top-p, min-p, temperature and the draw.

This is what `samplers/` defines, fused: the same operations in the same order and precision, so that the tokens are the
same. Logits are 32-bit floats, weights and their sums 64-bit ones, added up one after the other by falling logit; the
exponential is that of the C library, as in `Candidates.softmax`. A compiler must not contract a * b + c, see setup.py.

Rows are distributed with OpenMP, like llama.cpp's matrices: its threads still spin just after a step, while others
would first have to be woken. There may be more threads than rows: asking for fewer than llama.cpp does would end them.
"""

from cpython cimport array
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport prange, threadid
from libc.math cimport INFINITY, exp, fabs, isinf, isnan, nextafter
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy
from libcpp.vector cimport vector

from slots.sampling.logits.top_k_kernel cimport SPARE_KEYS, find_top_k, maxima_size

cdef enum:
    MAX_K = 512  # `draw` adds the weights of more than 2048 candidates up in another order
    NO_TOKEN = -1
    NOT_NUMBERS = -2

cdef double MAX_LOGIT = 1e30
cdef double BELOW_ONE = nextafter(1.0, 0.0)
MAX_TOP_K = MAX_K
NO_TOKEN_LEFT = NO_TOKEN
NAN_LOGITS = NOT_NUMBERS

cdef struct BitGenerator:  # numpy's bitgen_t
    void* state
    uint64_t (*next_uint64)(void*) noexcept nogil
    uint32_t (*next_uint32)(void*) noexcept nogil
    double (*next_double)(void*) noexcept nogil
    uint64_t (*next_raw)(void*) noexcept nogil

cdef struct ChainParams:
    Py_ssize_t top_k, min_keep
    double top_p, log_min_p, temperature
    bint is_greedy
    double repeat, frequency, presence
    const int32_t* bias_tokens
    const double* biases
    Py_ssize_t n_biases
    BitGenerator* bit_generator

cdef struct Row:
    const ChainParams* chain
    float* logits
    Py_ssize_t n
    const int32_t* ids  # the token of each logit, ascending; NULL if it is the index
    const uint32_t* mask  # bits of the allowed tokens, if these are many
    const uint32_t* few  # the same, if these are few
    const int* recent  # tokens to penalize
    const int* counts  # how often each of them was there
    Py_ssize_t n_recent
    Py_ssize_t token  # the result, or what is wrong


cdef class KernelChain:
    """The chain of a request: its options, its random generator and what it penalizes."""

    cdef ChainParams params
    cdef vector[int32_t] bias_tokens
    cdef vector[double] biases
    cdef array.array recent, counts
    cdef object bit_generator  # kept alive

    def __init__(self, params, bit_generator, bias=None, penalties=None):
        """Raises ValueError for a top-k that is not from 1 to MAX_TOP_K."""
        if not 1 <= params.top_k <= MAX_K:
            raise ValueError(f"expected a top-k from 1 to {MAX_K}, got {params.top_k}")
        self.params.top_k = params.top_k
        self.params.min_keep = min(params.min_keep, MAX_K)
        self.params.top_p = params.top_p
        self.params.log_min_p = params.log_min_p
        self.params.temperature = params.temperature
        self.params.is_greedy = params.is_greedy
        self.params.repeat = 1
        self.bit_generator = bit_generator
        self.params.bit_generator = <BitGenerator*>PyCapsule_GetPointer(bit_generator.capsule, "BitGenerator")
        if bias is not None:
            self.bias_tokens, self.biases = bias.tokens.tolist(), bias.biases.tolist()
            self.params.bias_tokens, self.params.biases = self.bias_tokens.data(), self.biases.data()
            self.params.n_biases = self.biases.size()
        if penalties is not None:
            self.params.repeat, self.params.frequency = penalties.repeat, penalties.frequency
            self.params.presence = penalties.presence
            self.recent, self.counts = penalties.recent.tokens, penalties.recent.counts


cdef class SamplingKernel:
    """Buffers for the threads that choose tokens. Used by one caller at a time."""

    cdef vector[vector[float]] maxima
    cdef vector[vector[int64_t]] keys
    cdef vector[Row] rows

    def sample(
        self, list chains, float[:, ::1] logits, indices, list masks, int n_threads, const int32_t[:, ::1] ids=None
    ):
        """Return the token of each chain, or NO_TOKEN_LEFT or NAN_LOGITS. `logits`, which are changed, has the shape
        (rows, vocabulary); `indices` are the chains' rows in it. `masks` has the AllowedTokens or None of each chain,
        or nothing. If there are `ids`, of the shape of `logits`, these are the tokens of the logits, ascending, and the
        largest of all: those that equal the smallest of a row are left out unless all do.

        Raises IndexError or ValueError if the arguments do not fit each other.
        """
        cdef Py_ssize_t n_rows = len(chains), n = logits.shape[1], i, thread
        if len(indices) != n_rows or (masks and len(masks) != n_rows):
            raise ValueError("expected as many rows and masks as chains")
        self._reserve(n, n_threads)
        self.rows.resize(n_rows)
        for i in range(n_rows):
            self._set_row(i, chains[i], logits, indices[i], masks[i] if masks else None, ids)
        for i in prange(
            n_rows, nogil=True, num_threads=n_threads, use_threads_if=n_threads > 1, schedule="static"
        ):
            thread = threadid()
            sample_row(&self.rows[i], self.maxima[thread].data(), self.keys[thread].data())
        return [self.rows[i].token for i in range(n_rows)]

    cdef _reserve(self, Py_ssize_t n, Py_ssize_t n_threads):
        cdef Py_ssize_t thread
        if <Py_ssize_t>self.keys.size() < n_threads:
            self.keys.resize(n_threads)
            self.maxima.resize(n_threads)
        for thread in range(n_threads):
            self.keys[thread].resize(2 * MAX_K + SPARE_KEYS)
            self.maxima[thread].resize(maxima_size(n))

    cdef _set_row(
        self, Py_ssize_t i, KernelChain chain, float[:, ::1] logits, Py_ssize_t index, mask, const int32_t[:, ::1] ids
    ):
        cdef Row* row = &self.rows[i]
        cdef const uint32_t[::1] words
        if not 0 <= index < logits.shape[0]:
            raise IndexError(f"expected a row of {logits.shape[0]}, got {index}")
        row.chain = &chain.params
        row.n = logits.shape[1]
        row.logits = &logits[index, 0]
        row.ids = NULL
        if ids is not None:
            if ids.shape[0] != logits.shape[0] or ids.shape[1] != row.n:
                raise ValueError("expected as many tokens as logits")
            row.ids = &ids[index, 0]
        row.mask = row.few = NULL
        if mask is not None:
            words = mask.words
            if 32 * words.shape[0] < row.n:
                raise ValueError(f"expected a mask of {row.n} tokens")
            if mask.is_sparse:
                row.few = &words[0]
            else:
                row.mask = &words[0]
        row.n_recent = 0
        if chain.recent is not None:
            row.recent, row.counts = chain.recent.data.as_ints, chain.counts.data.as_ints
            row.n_recent = len(chain.recent)


cdef void sample_row(Row* row, float* maxima, int64_t* keys) noexcept nogil:
    cdef Py_ssize_t n
    cdef float cutoff
    if row.ids == NULL:
        edit(row)
    else:
        cutoff = smallest(row)
        edit(row)
        rule_out(row, cutoff)
    if row.mask != NULL:
        apply_mask(row)
    n = find_top_k(row.logits, row.n, row.chain.top_k, row.few, maxima, keys)
    row.token = choose(row, keys, n) if n >= 0 else NOT_NUMBERS


cdef void edit(Row* row) noexcept nogil:
    """Add the biases, then apply the penalties: see `LogitBias` and `Penalties`."""
    cdef const ChainParams* chain = row.chain
    cdef double inverse = 1 / chain.repeat
    cdef double logit
    cdef Py_ssize_t i, index
    for i in range(chain.n_biases):
        index = index_of(row, chain.bias_tokens[i])
        if index >= 0:
            row.logits[index] = limited(row.logits[index] + chain.biases[i])
    for i in range(row.n_recent):
        index = index_of(row, row.recent[i])
        if index >= 0:
            logit = row.logits[index]
            logit = (chain.repeat if logit <= 0 else inverse) * logit
            row.logits[index] = limited(logit - (row.counts[i] * chain.frequency + chain.presence))


cdef inline float limited(double logit) noexcept nogil:
    return <float>(MAX_LOGIT if logit > MAX_LOGIT else logit)


cdef inline Py_ssize_t index_of(const Row* row, int32_t token) noexcept nogil:
    """The index of a token's logit; -1 if it has none."""
    cdef Py_ssize_t low = 0, high = row.n, middle
    if row.ids == NULL:
        return token if 0 <= token < row.n else -1
    while low < high:
        middle = (low + high) // 2
        if row.ids[middle] < token:
            low = middle + 1
        else:
            high = middle
    return low if low < row.n and row.ids[low] == token else -1


cdef float smallest(const Row* row) noexcept nogil:
    cdef float minimum = INFINITY
    cdef Py_ssize_t i
    for i in range(row.n):
        minimum = row.logits[i] if row.logits[i] < minimum else minimum
    return minimum


cdef void rule_out(Row* row, float cutoff) noexcept nogil:
    """Rule the tokens up to a logit out, unless these are all."""
    cdef Py_ssize_t i, n_above = 0
    for i in range(row.n):
        n_above += row.logits[i] > cutoff
    if n_above > 0:
        for i in range(row.n):
            if row.logits[i] <= cutoff:
                row.logits[i] = -INFINITY


cdef void apply_mask(Row* row) noexcept nogil:
    """Rule out all tokens that are not allowed, with integers, which compilers can vectorize."""
    cdef float minus_infinity = -INFINITY
    cdef uint32_t lowest, logit, word, is_allowed
    cdef Py_ssize_t start, i
    memcpy(&lowest, &minus_infinity, sizeof(lowest))
    for start in range(0, row.n, 32):
        word = row.mask[start >> 5]
        if ~word:  # not all are allowed
            for i in range(min(row.n - start, 32)):
                is_allowed = -((word >> i) & 1)
                memcpy(&logit, row.logits + start + i, sizeof(logit))
                logit = (logit & is_allowed) | (lowest & ~is_allowed)
                memcpy(row.logits + start + i, &logit, sizeof(logit))


cdef Py_ssize_t choose(const Row* row, const int64_t* keys, Py_ssize_t n) noexcept nogil:
    """Returns one of the tokens with the n largest logits, which the keys are of, or what is wrong."""
    cdef const ChainParams* chain = row.chain
    cdef float[MAX_K] logits
    cdef double[MAX_K] cumulative
    cdef Py_ssize_t index = 0, i
    for i in range(n):
        logits[i] = row.logits[<uint32_t>keys[i]]
    if n == 0 or logits[0] == -INFINITY:
        return NO_TOKEN
    if not chain.is_greedy:
        if isinf(logits[0]):
            return NOT_NUMBERS
        n = keep_top_p(chain, logits, cumulative, n)
        n = keep_min_p(chain, logits, n)
        divide(chain.temperature, logits, n)
        index = draw(chain.bit_generator, logits, cumulative, n)
    index = <uint32_t>keys[index]
    return index if row.ids == NULL else row.ids[index]


cdef double accumulate(const float* logits, double* cumulative, Py_ssize_t n) noexcept nogil:
    """Write the cumulative weights of logits, the largest of which is first. Returns the total."""
    cdef double total = 0
    cdef Py_ssize_t i
    for i in range(n):
        total += exp(<double>(logits[i] - logits[0]))
        cumulative[i] = total
    return total


cdef Py_ssize_t keep_top_p(
    const ChainParams* chain, const float* logits, double* cumulative, Py_ssize_t n
) noexcept nogil:
    cdef double bound
    cdef Py_ssize_t i = 0
    if chain.top_p >= 1:
        return n
    bound = chain.top_p * accumulate(logits, cumulative, n)
    while cumulative[i] < bound:
        i += 1
    return min(max(i + 1, chain.min_keep), n)


cdef Py_ssize_t keep_min_p(const ChainParams* chain, const float* logits, Py_ssize_t n) noexcept nogil:
    cdef float bound = <float>(logits[0] + chain.log_min_p)
    cdef Py_ssize_t i = 0
    while i < n and logits[i] >= bound:
        i += 1
    return min(max(i, chain.min_keep), n)


cdef void divide(double temperature, float* logits, Py_ssize_t n) noexcept nogil:
    cdef float divisor = <float>temperature
    cdef double top = logits[0]
    cdef Py_ssize_t i
    if temperature == 1:
        return
    if 1 / MAX_LOGIT < temperature < MAX_LOGIT and fabs(top) / temperature < MAX_LOGIT:
        for i in range(n):
            logits[i] = logits[i] / divisor
    else:  # would overflow: only the distances to the largest logit matter
        for i in range(n):
            logits[i] = <float>((logits[i] - top) / temperature)


cdef Py_ssize_t draw(BitGenerator* generator, const float* logits, double* cumulative, Py_ssize_t n) noexcept nogil:
    cdef double total = accumulate(logits, cumulative, n)
    cdef double bound = uniform(generator) * total
    cdef Py_ssize_t i = 0
    while i < n and cumulative[i] <= bound:
        i += 1
    if i == n:  # rounding leaves no mass: the last token that has some
        i = 0
        while cumulative[i] < total:
            i += 1
    return i


cdef double uniform(BitGenerator* generator) noexcept nogil:
    """The next number of RandomNumbers."""
    cdef uint64_t low = generator.next_uint32(generator.state)
    cdef uint64_t high = generator.next_uint32(generator.state)
    cdef double number = <double>(high << 32 | low) / 18446744073709551616.0
    return min(number, BELOW_ONE)
