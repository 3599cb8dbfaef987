# cython: language_level=3
"""What other kernels use of the top-k."""

from libc.stdint cimport int64_t, uint32_t

cdef enum:
    SPARE_KEYS = 1024

cdef Py_ssize_t maxima_size(Py_ssize_t n) noexcept nogil

cdef Py_ssize_t find_top_k(
    const float* row, Py_ssize_t n, Py_ssize_t k, const uint32_t* few, float* maxima, int64_t* keys
) noexcept nogil
