"""CacheStats: what the prefix cache found and lost."""

from dataclasses import dataclass, field

from slots.requests.cache_use import CacheHit, CacheSource, MissReason


@dataclass(slots=True)
class CacheStats:
    """Counts since the start. Written by the engine's thread alone."""

    hits: dict[CacheSource, int] = field(default_factory=lambda: dict.fromkeys(CacheSource, 0))
    hit_tokens: dict[CacheSource, int] = field(default_factory=lambda: dict.fromkeys(CacheSource, 0))
    misses: dict[MissReason, int] = field(default_factory=lambda: dict.fromkeys(MissReason, 0))
    n_computed_tokens: int = 0
    """Prompt tokens that were computed, also of prompts that are not finished."""
    n_evicted_slots: int = 0
    """Slots that lost their cells to others."""
    n_evicted_parked: int = 0
    """Parked sequences that were removed since the budget was used up."""
    n_preempted: int = 0
    """Requests that lost their cells to older ones and waited again."""

    def count_hit(self, hit: CacheHit) -> None:
        self.hits[hit.source] += 1
        self.hit_tokens[hit.source] += hit.n_tokens

    def count_miss(self, reason: MissReason) -> None:
        self.misses[reason] += 1
