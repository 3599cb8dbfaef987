# cython: language_level=3
"""Calls a function on several threads: those that llama.cpp computes with, if both use OpenMP.

Just after a step these still spin, waiting for work. Other threads would have to be woken first, and would then share
the cores with them.
"""

from cython.parallel cimport prange

cdef extern from *:
    """
    #ifdef _OPENMP
    #define WITH_OPENMP 1
    #else
    #define WITH_OPENMP 0
    #endif
    """
    const int WITH_OPENMP

HAS_OPENMP = bool(WITH_OPENMP)


def parallel_map(function, int n_parts, int n_threads):
    """Return the results of `function` for 0 to `n_parts` - 1; raises what one of the calls raises.

    `n_threads` has to be that of llama.cpp, even if some have nothing to do: asking for fewer would end the others.
    """
    cdef int part
    results = [None] * n_parts
    for part in prange(n_parts, nogil=True, num_threads=n_threads, use_threads_if=n_parts > 1, schedule="static"):
        with gil:
            results[part] = function(part)
    return results
