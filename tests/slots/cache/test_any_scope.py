from array import array

from hypothesis import given
from hypothesis import strategies as st

from slots.cache.any_scope import common_in_any_scope
from slots.cache.prefix_cache import PrefixCache
from slots.requests.scope import CacheScope

tokens = st.lists(st.integers(0, 2), min_size=1, max_size=8)
scopes = st.builds(CacheScope, st.sampled_from(["", "mine", "yours"]), st.integers(0, 4))


def n_common(one: list[int], other: list[int]) -> int:
    pairs = zip(one, other, strict=False)
    return next((index for index, (mine, theirs) in enumerate(pairs) if mine != theirs), min(len(one), len(other)))


@given(st.lists(st.tuples(tokens, scopes), max_size=6), tokens)
def test_it_is_the_longest_prefix_in_common_with_any_sequence(
    sequences: list[tuple[list[int], CacheScope]], prompt: list[int]
) -> None:
    cache = PrefixCache(None, can_truncate=True)
    for slot_id, (sequence, scope) in enumerate(sequences):
        cache.set_live(slot_id, sequence, scope)
    expected = max((n_common(sequence, prompt) for sequence, _ in sequences), default=0)
    assert common_in_any_scope(cache.root, array("q", prompt)) == expected
