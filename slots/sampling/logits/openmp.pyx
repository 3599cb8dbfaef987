# cython: language_level=3
"""Calls of a function on several threads: those that llama.cpp computes with, where both use OpenMP.

These still wait for work, in a loop, just after a step was computed. Other threads would have to be woken first, and
then to share the cores with those.
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


def parallel_map(work, int n_parts, int n_threads):
    """Returns what `work` returns for each of the numbers below `n_parts`; raises what one of the calls raised.

    As many threads are used as there are, of which some may have nothing to do: to ask for fewer than llama.cpp does
    would end the others.
    """
    cdef int part
    results = [None] * n_parts
    for part in prange(n_parts, nogil=True, num_threads=n_threads, use_threads_if=n_parts > 1, schedule="static"):
        with gil:
            results[part] = work(part)
    return results
