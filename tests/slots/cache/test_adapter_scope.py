"""Which sequences a prompt finds, by the adapters that they were computed with."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from slots.cache.prefix_cache import PrefixCache
from slots.requests.scope import CacheScope

ANYONE = CacheScope()


def make_cache() -> PrefixCache:
    return PrefixCache(None, can_truncate=True)


def by_slot(cache: PrefixCache, tokens: list[int], scope: CacheScope = ANYONE) -> dict[int, int]:
    return dict(cache.match(tokens, scope, len(tokens)).by_slot)


def n_parked(cache: PrefixCache, tokens: list[int], scope: CacheScope = ANYONE) -> int:
    return cache.match(tokens, scope, len(tokens)).n_parked


def test_what_was_computed_with_adapters_is_found_with_the_same_ones_only() -> None:
    cache = make_cache()
    one, other = CacheScope(adapters="one"), CacheScope(adapters="other")
    cache.set_live(0, [1, 2, 3], one)
    cache.park([1, 2, 3, 4], one, np.zeros(1, np.uint8))
    cache.set_live(1, [1, 2], ANYONE)
    assert (by_slot(cache, [1, 2, 3, 4], one), n_parked(cache, [1, 2, 3, 4], one)) == ({0: 3}, 4)
    assert (by_slot(cache, [1, 2, 3, 4], other), n_parked(cache, [1, 2, 3, 4], other)) == ({}, 0)
    assert (by_slot(cache, [1, 2, 3, 4]), n_parked(cache, [1, 2, 3, 4])) == ({1: 2}, 0)


def test_what_precedes_the_adapters_is_shared_with_the_base_model() -> None:
    cache = make_cache()
    late, later = CacheScope(adapters="one", n_base=2), CacheScope(adapters="one", n_base=3)
    cache.set_live(0, [1, 2, 3, 4], late)
    assert by_slot(cache, [1, 2, 3, 4], ANYONE) == {0: 2}
    assert by_slot(cache, [1, 2, 3, 4], later) == {0: 2}
    assert by_slot(cache, [1, 2, 3, 4], late) == {0: 4}


scopes = st.builds(
    CacheScope, st.sampled_from(["", "a", "b"]), st.integers(0, 4), st.sampled_from(["", "a", "b"]), st.integers(0, 4)
)


@settings(max_examples=300, deadline=None)
@given(scopes, scopes, st.integers(1, 6), st.integers(1, 6))
def test_a_slot_has_as_much_to_give_as_the_scopes_say(
    one: CacheScope, other: CacheScope, n_one: int, n_other: int
) -> None:
    cache, tokens = make_cache(), list(range(1, 7))
    cache.set_live(0, [], one)
    for token in tokens[:n_one]:
        cache.extend_live(0, [token])
    n_shareable = one.shareable(other, min(n_one, n_other))
    assert n_shareable == other.shareable(one, min(n_one, n_other))
    assert by_slot(cache, tokens[:n_other], other) == ({0: n_shareable} if n_shareable else {})
    cache.truncate_live(0, n_one - 1)
    left = one.shareable(other, min(n_one - 1, n_other))
    assert by_slot(cache, tokens[:n_other], other) == ({0: left} if left else {})
