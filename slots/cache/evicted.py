"""EvictedPrefixes: which sequences were cached lately, and no longer are. Pure."""

from collections import OrderedDict
from collections.abc import Sequence

from slots.cache.prefix_cache import to_keys, tokens_at
from slots.cache.radix_tree import Node, RadixTree
from slots.requests.scope import CacheScope

MAX_TOKENS = 1 << 18
"""Of all sequences together, 8 bytes each."""


class _Sequence:
    """Stands for a sequence in the tree."""

    __slots__ = ("n_tokens",)

    def __init__(self, n_tokens: int) -> None:
        self.n_tokens = n_tokens


class EvictedPrefixes:
    """Keeps the tokens, without their keys and values, so that a prompt can be told that it came too late. The oldest
    ones are forgotten first."""

    def __init__(self, max_tokens: int = MAX_TOKENS) -> None:
        self._max_tokens = max_tokens
        self._tree: RadixTree[_Sequence] = RadixTree()
        self._ends: OrderedDict[_Sequence, Node[_Sequence]] = OrderedDict()
        self._n_tokens = 0

    def add(self, tokens: Sequence[int], scope: CacheScope) -> None:
        """Note that a sequence was lost, the first `max_tokens` tokens of it."""
        keys = to_keys(tokens[: self._max_tokens], scope)
        _, depth = self._tree.root.descend(keys)
        if depth == len(keys):
            return
        sequence = _Sequence(len(keys))
        self._ends[sequence] = self._tree.add_entry(keys, sequence)
        self._n_tokens += len(keys)
        while self._n_tokens > self._max_tokens:
            oldest, end = self._ends.popitem(last=False)
            self._tree.remove_entry(end)
            self._n_tokens -= oldest.n_tokens

    def match(self, tokens: Sequence[int], scope: CacheScope) -> int:
        """Returns how many of the first tokens of a prompt an evicted sequence has in common with it."""
        _, depth = self._tree.root.descend(to_keys(tokens, scope))
        return tokens_at(depth, scope)
