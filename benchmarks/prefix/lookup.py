"""The cost of finding a prompt's prefix among many parked sequences, and of the memory for these."""

import time
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from slots.cache.prefix_cache import PrefixCache
from slots.requests.scope import CacheScope

N_ENTRIES = 10_000
N_TOKENS = 1000
N_PROMPTS = 1000
N_FAMILIES = 100
N_SHARED = 500
"""First tokens that all entries of a family have in common."""
N_TURNS = 8
"""Of each chat."""
N_SYSTEM = 200
"""First tokens that all chats have in common."""
N_REPLACED = 20
"""Tokens of an answer that was then generated again."""

_SNAPSHOT = np.zeros(1, np.uint8)
_SCOPE = CacheScope()

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class Lookup:
    """Microseconds for prompts of one kind."""

    prompts: str
    median_us: float
    p99_us: float
    n_found: int
    """The minimum of the tokens found of each."""
    bytes_per_token: float
    """For parked tokens, without the snapshots."""


class ParkedPrefixes:
    """A cache in which sequences are parked."""

    def __init__(self, entries: Sequence[Tokens]) -> None:
        tracemalloc.start()
        self._cache = PrefixCache(None, can_truncate=True)
        for entry in entries:
            self._cache.park(entry, _SCOPE, _SNAPSHOT)
        self._bytes_per_token = tracemalloc.get_traced_memory()[0] / sum(map(len, entries))
        tracemalloc.stop()
        if self._cache.n_parked_entries != N_ENTRIES:
            raise RuntimeError(f"{self._cache.n_parked_entries} sequences are parked instead of {N_ENTRIES}")

    def lookup(self, name: str, prompts: Sequence[Tokens]) -> Lookup:
        """Returns the cost of finding prompts of one kind."""
        microseconds, n_found = [], set()
        for prompt in prompts:
            started = time.perf_counter()
            match = self._cache.match(prompt, _SCOPE, N_TOKENS - 1)
            microseconds.append(1e6 * (time.perf_counter() - started))
            n_found.add(match.n_parked)
        p99_us = float(np.percentile(microseconds, 99))
        return Lookup(name, median(microseconds), p99_us, min(n_found), self._bytes_per_token)


def measure_lookups() -> Iterator[Lookup]:
    """Yields the cost of each kind of prompt."""
    random = np.random.default_rng(0)
    yield from _among_families(random)
    yield from _among_chats(random)


def _among_families(random: np.random.Generator) -> Iterator[Lookup]:
    """Sequences that branch off from others once: a walk visits two nodes."""
    starts = [_tokens(random, N_SHARED) for _family in range(N_FAMILIES)]
    entries = [starts[n % N_FAMILIES] + _tokens(random, N_TOKENS - N_SHARED) for n in range(N_ENTRIES)]
    parked = ParkedPrefixes(entries)
    chosen = [entries[index] for index in random.integers(N_ENTRIES, size=N_PROMPTS)]
    yield parked.lookup("all of it is parked", chosen)
    half = [entry[:N_SHARED] + _tokens(random, N_TOKENS - N_SHARED) for entry in chosen]
    yield parked.lookup("half of it is parked", half)
    yield parked.lookup("nothing is parked", [_tokens(random, N_TOKENS) for _entry in chosen])


def _among_chats(random: np.random.Generator) -> Iterator[Lookup]:
    """Chats with one system prompt, each parked at every turn with an answer that it did not continue with, so that
    sequences branch at every turn. (Without such an answer, a turn would be a prefix of the next one, which would
    replace it.)"""
    system = _tokens(random, N_SYSTEM)
    chats = [system + _tokens(random, N_TOKENS - N_SYSTEM) for _chat in range(N_ENTRIES // N_TURNS)]
    turns = [N_SYSTEM + turn * (N_TOKENS - N_SYSTEM) // N_TURNS for turn in range(1, N_TURNS + 1)]
    parked = ParkedPrefixes([chat[:end] + _tokens(random, N_REPLACED) for chat in chats for end in turns])
    chosen = [chats[index] for index in random.integers(len(chats), size=N_PROMPTS)]
    yield parked.lookup(f"a chat that is parked at each of its {N_TURNS} turns", chosen)


def _tokens(random: np.random.Generator, n_tokens: int) -> Tokens:
    return tuple(random.integers(0, 150_000, n_tokens).tolist())
