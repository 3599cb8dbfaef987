"""Threads of the compiled part of the samplers: see the .pyx file of this name."""

from collections.abc import Callable
from typing import TypeVar

Part = TypeVar("Part")

HAS_OPENMP: bool

def parallel_map(work: Callable[[int], Part], n_parts: int, n_threads: int) -> list[Part]: ...
