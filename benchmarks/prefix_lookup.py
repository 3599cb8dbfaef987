"""What it costs to find a prompt's beginning among many parked ones, and to remember them."""

import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import numpy as np

from slots.prefix_cache import PrefixCache
from slots.scope import Scope

N_ENTRIES = 10_000
N_FAMILIES = 100
N_TOKENS = 1000
N_SHARED = 500
"""First tokens that all entries of a family have in common."""
N_PROMPTS = 1000

_SNAPSHOT = np.zeros(1, np.uint8)
_SCOPE = Scope()


@dataclass(frozen=True)
class Lookup:
    """Microseconds for prompts of one kind."""

    prompts: str
    median_us: float
    p99_us: float
    n_found: int
    """Tokens of each that were found, the fewest."""


class ParkedPrefixes:
    """Families of sequences, parked."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(0)
        starts = [self._tokens(N_SHARED) for _family in range(N_FAMILIES)]
        self._entries = [starts[n % N_FAMILIES] + self._tokens(N_TOKENS - N_SHARED) for n in range(N_ENTRIES)]
        tracemalloc.start()
        self._cache = PrefixCache(None, can_cut=True)
        for entry in self._entries:
            self._cache.park(entry, _SCOPE, _SNAPSHOT)
        self.bytes_per_token = tracemalloc.get_traced_memory()[0] / (N_ENTRIES * N_TOKENS)
        """Without the snapshots."""
        tracemalloc.stop()

    def lookups(self) -> Iterator[Lookup]:
        """Gives what each kind of prompt costs."""
        chosen = [self._entries[index] for index in self._random.integers(N_ENTRIES, size=N_PROMPTS)]
        n_new = N_TOKENS - N_SHARED
        yield self._lookup("all of it is parked", chosen)
        yield self._lookup("half of it is parked", [entry[:N_SHARED] + self._tokens(n_new) for entry in chosen])
        yield self._lookup("nothing is parked", [self._tokens(N_TOKENS) for _entry in chosen])

    def _lookup(self, name: str, prompts: list[tuple[int, ...]]) -> Lookup:
        microseconds, n_found = [], set()
        for prompt in prompts:
            started = time.perf_counter()
            match = self._cache.find(prompt, _SCOPE, N_TOKENS - 1)
            microseconds.append(1e6 * (time.perf_counter() - started))
            n_found.add(match.n_parked)
        return Lookup(name, median(microseconds), float(np.percentile(microseconds, 99)), min(n_found))

    def _tokens(self, n_tokens: int) -> tuple[int, ...]:
        return tuple(self._random.integers(0, 150_000, n_tokens).tolist())
