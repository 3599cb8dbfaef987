import numpy as np

from slots.cache.parked_tree import ParkedPrefix, parked_tree
from slots.cache.prefix_cache import PrefixCache
from slots.requests.scope import CacheScope

ANYONE = CacheScope()


def make_cache(*sequences: list[int], scope: CacheScope = ANYONE) -> PrefixCache:
    """Returns a cache in which these are parked, with a byte for each token."""
    cache = PrefixCache(None, can_truncate=True)
    for tokens in sequences:
        cache.park(tokens, scope, np.zeros(len(tokens), np.uint8))
    return cache


def shape(prefix: ParkedPrefix) -> list[object]:
    """Returns tokens, bytes and children."""
    return [prefix.first_tokens, prefix.n_bytes, *(shape(child) for child in prefix.children)]


def test_common_beginnings_are_branches() -> None:
    cache = make_cache([1, 2, 3], [1, 2, 4, 5], [7])
    assert shape(parked_tree(cache.root)) == [[], 0, [[1, 2], 0, [[3], 3], [[4, 5], 4]], [[7], 1]]


def test_a_prefix_says_which_slots_hold_it_as_well() -> None:
    cache = make_cache([1, 2, 3])
    cache.set_live(2, [1, 2, 8, 9], ANYONE)
    (prefix,) = parked_tree(cache.root).children
    assert (prefix.first_tokens, prefix.slots) == ([1, 2], [2])
    assert [child.first_tokens for child in prefix.children] == [[3]]


def test_salts_are_not_tokens() -> None:
    cache = make_cache([1, 2, 3], scope=CacheScope("mine", n_public=1))
    (prefix,) = parked_tree(cache.root).children
    assert (prefix.n_tokens, prefix.first_tokens) == (3, [1, 2, 3])


def test_of_many_branches_the_nearest_ones_are_shown_and_the_others_counted() -> None:
    cache = make_cache(*([first, 1] for first in range(10)), [0, 2])
    tree = parked_tree(cache.root, max_nodes=4)
    assert (len(tree.children), tree.n_hidden) == (4, 6)
    assert (tree.children[0].children, tree.children[0].n_hidden) == ([], 2)


def test_of_a_long_prefix_only_the_first_tokens_are_kept() -> None:
    (prefix,) = parked_tree(make_cache(list(range(100))).root).children
    assert (prefix.n_tokens, prefix.first_tokens) == (100, list(range(16)))
