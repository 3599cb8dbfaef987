"""Types of openmp.pyx."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

HAS_OPENMP: bool

def parallel_map(function: Callable[[int], T], n_parts: int, n_threads: int) -> list[T]: ...
