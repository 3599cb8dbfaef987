"""CacheReport: what a prompt got from the prefix cache, from where, and why no more. Pure."""

from array import array
from dataclasses import replace

from slots.cache.any_scope import common_in_any_scope
from slots.cache.evicted import EvictedPrefixes
from slots.cache.prefix_cache import (
    ParkedSequence,
    PrefixCache,
    PrefixMatch,
    is_adapters_mark,
    to_keys,
    tokens_at,
)
from slots.cache.radix_tree import Keys
from slots.metrics.cache_stats import CacheStats
from slots.requests.cache_use import CacheHit, CacheMiss, CacheSource, MissReason
from slots.requests.request_state import RequestState
from slots.requests.slot import Slot

MIN_MISSED_TOKENS = 16
"""With fewer, a prompt that differs after its first words would be told of a cached one by chance alike."""

MIN_COMMON_TOKENS = 2
"""With fewer, two texts have only BOS or their first word in common, and the nearest cached one is none like it."""


class CacheReport:
    """Engine thread only."""

    def __init__(self, prefixes: PrefixCache) -> None:
        self.stats = CacheStats()
        self._prefixes = prefixes
        self._evicted = EvictedPrefixes()
        prefixes.on_evicted = self._note_removed

    def note_lost(self, slot: Slot, n_tokens: int) -> None:
        """Note that a slot is about to lose what it has beyond what may be parked of its first `n_tokens` tokens."""
        self._evicted.add(slot.cached[:n_tokens], slot.scope)

    def note_gain(self, slot: Slot, n_before: int, source: CacheSource, source_id: int | None) -> None:
        """Note that a slot had `n_before` tokens of its request, and has more from a source now."""
        state, n_gained = slot.state, len(slot.cached) - n_before
        if state is None or n_gained == 0:
            return
        if n_gained < 0:  # nothing could be restored, and what was there is lost
            state.cache_hits.clear()
            return
        hit = CacheHit(source, n_gained, source_id)
        state.cache_hits.append(hit)
        self.stats.count_hit(hit)

    def note_burst(self, slot: Slot) -> None:
        """Note that a slot has all that another prompt of a burst has in common with its own."""
        if slot.state:
            n_cached, is_all = len(slot.cached), len(slot.cached) >= slot.state.max_cached
            slot.state.cache_miss = None if is_all else CacheMiss(n_cached, MissReason.TEXT_DIFFERS)

    def explain(self, state: RequestState, match: PrefixMatch, n_loaded: int) -> CacheMiss | None:
        """Returns why a prompt, of which `n_loaded` tokens were loaded, has more to compute than what is new in it."""
        limit = state.max_cached
        if n_loaded >= limit or not state.request.cache_prompt:
            return None
        if match.n_tokens - n_loaded >= MIN_MISSED_TOKENS:
            return CacheMiss(n_loaded, MissReason.NOT_COPIED)
        if match.n_common - n_loaded >= MIN_MISSED_TOKENS:
            return CacheMiss(n_loaded, MissReason.CANNOT_BE_CUT)
        tokens, n_known = array("q", state.tokens[:limit]), max(n_loaded, match.n_common)
        n_evicted = self._evicted.match(tokens, state.request.scope)
        n_others = common_in_any_scope(self._prefixes.root, tokens)
        if max(n_evicted, n_others) - n_known >= MIN_MISSED_TOKENS:
            reason = MissReason.EVICTED if n_evicted >= n_others else self._scope_reason(tokens, state, n_others)
            return CacheMiss(n_loaded, reason)
        return CacheMiss(n_known, MissReason.TEXT_DIFFERS) if match.parts and n_known >= MIN_COMMON_TOKENS else None

    def _scope_reason(self, tokens: Keys, state: RequestState, n_others: int) -> MissReason:
        """Returns whether a prompt has as much in common with a text of other adapters as with those of other salts."""
        own_salt = replace(state.request.scope, adapters="", n_base=0)
        keys = to_keys(tokens, own_salt)
        n_adapters = tokens_at(common_in_any_scope(self._prefixes.root, keys, is_adapters_mark), own_salt)
        return MissReason.OTHER_ADAPTER if n_adapters >= n_others else MissReason.OTHER_SALT

    def _note_removed(self, parked: ParkedSequence) -> None:
        self.stats.n_evicted_parked += 1
        self._evicted.add(parked.tokens, parked.scope)
