from slots.cache.evicted import EvictedPrefixes
from slots.requests.scope import CacheScope

ANYONE = CacheScope()


def test_the_longest_common_prefix_is_found() -> None:
    evicted = EvictedPrefixes()
    evicted.add([1, 2, 3, 4], ANYONE)
    evicted.add([1, 2, 9], ANYONE)
    assert [evicted.match(tokens, ANYONE) for tokens in ([1, 2, 3, 5], [1, 2, 9, 9], [7])] == [3, 3, 0]


def test_the_oldest_ones_are_forgotten_when_there_are_too_many_tokens() -> None:
    evicted = EvictedPrefixes(max_tokens=6)
    evicted.add([1, 2, 3], ANYONE)
    evicted.add([4, 5, 6], ANYONE)
    evicted.add([7, 8, 9], ANYONE)
    assert [evicted.match(tokens, ANYONE) for tokens in ([1, 2, 3], [4, 5, 6], [7, 8, 9])] == [0, 3, 3]


def test_of_a_sequence_that_is_too_long_the_beginning_is_kept() -> None:
    evicted = EvictedPrefixes(max_tokens=2)
    evicted.add([1, 2, 3], ANYONE)
    assert evicted.match([1, 2, 3], ANYONE) == 2


def test_a_sequence_counts_once() -> None:
    evicted = EvictedPrefixes(max_tokens=4)
    evicted.add([1, 2], ANYONE)
    for _ in range(9):
        evicted.add([3, 4], ANYONE)
    assert evicted.match([1, 2], ANYONE) == 2


def test_what_is_private_is_found_with_its_own_salt_only() -> None:
    evicted = EvictedPrefixes()
    evicted.add([1, 2, 3], CacheScope("mine", n_public=1))
    assert evicted.match([1, 2, 3], CacheScope("mine", n_public=1)) == 3
    assert evicted.match([1, 2, 3], CacheScope("yours", n_public=1)) == 1
