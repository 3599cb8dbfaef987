"""PoolStatus: what the pool of slots does, for people to look at."""

import time
from dataclasses import dataclass

from slots.cache.parked_tree import ParkedPrefix, parked_tree
from slots.completion.runner import CompletionRunner
from slots.metrics.token_rates import RateHistory
from slots.requests.events import SlotStatus

MAX_QUEUED = 32
"""Requests of the queue that are told of one by one."""


@dataclass(frozen=True, slots=True)
class QueuedRequest:
    request_id: int
    position: int
    """1 for the one whose turn is next."""
    waiting_ms: float
    n_prompt_tokens: int


@dataclass(frozen=True, slots=True)
class ParkedStatus:
    n_sequences: int
    n_bytes: int
    budget_bytes: int | None
    """None if there is no limit."""
    tree: ParkedPrefix


@dataclass(frozen=True, slots=True)
class PoolStatus:
    slots: list[SlotStatus]
    n_shared: list[int]
    """For each slot, how many of its first tokens another slot or host memory has as well."""
    n_cells: int
    n_cells_used: int
    is_unified: bool
    n_waiting: int
    queue: list[QueuedRequest]
    """The first ones."""
    parked: ParkedStatus
    rates: RateHistory


@dataclass(frozen=True, slots=True)
class CacheUse:
    """How full the KV cache and host memory are; zeros if no text is generated."""

    n_cells: int = 0
    n_cells_used: int = 0
    n_parked: int = 0
    n_parked_bytes: int = 0

    @property
    def share(self) -> float:
        """Of the cells that are used, 0 to 1."""
        return self.n_cells_used / self.n_cells if self.n_cells else 0.0


def cache_use(completions: CompletionRunner) -> CacheUse:
    prefixes = completions.cache.prefixes
    return CacheUse(completions.n_cells, completions.n_cells_used, prefixes.n_parked_entries, prefixes.n_parked_bytes)


def pool_status(completions: CompletionRunner) -> PoolStatus:
    """Returns the status as of about now. May be called by any thread, while the engine's goes on."""
    now, cache = time.perf_counter(), completions.cache
    waiting, stats, prefixes = list(completions.waiting), completions.stats, cache.prefixes
    budget = prefixes.budget_bytes
    return PoolStatus(
        slots=[slot.status() for slot in completions.slots],
        n_shared=[prefixes.shared_with_others(slot.slot_id) for slot in completions.slots],
        n_cells=completions.n_cells,
        n_cells_used=completions.n_cells_used,
        is_unified=cache.cells is not None,
        n_waiting=len(waiting),
        queue=[
            QueuedRequest(state.request_id, position, 1000 * (now - state.queued_at), len(state.tokens))
            for position, state in enumerate(waiting[:MAX_QUEUED], 1)
        ],
        parked=ParkedStatus(prefixes.n_parked_entries, prefixes.n_parked_bytes, budget, parked_tree(prefixes.root)),
        rates=stats.rates.history(now, stats.cache.n_computed_tokens, stats.generated_tokens),
    )
