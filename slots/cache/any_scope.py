"""common_in_any_scope: what a prompt has in common with sequences of other scopes, which it may not use. Pure."""

from collections.abc import Callable
from itertools import islice
from typing import TypeVar

from slots.cache.prefix_cache import is_mark
from slots.cache.radix_tree import Keys, Node, common_prefix_length

MAX_NODES = 256
"""Branches that are looked at: each salt makes one."""

EntryT = TypeVar("EntryT")


def common_in_any_scope(root: Node[EntryT], keys: Keys, ignored: Callable[[int], bool] = is_mark) -> int:
    """Returns the length of the longest common prefix of `keys` and a sequence below `root`, without the marks that are
    `ignored`, by default all: `keys` has none of these."""
    longest, n_seen = 0, 0
    pending = [(root, 0)]
    while pending and n_seen < MAX_NODES:
        node, at = pending.pop()
        candidates = [child for key, child in islice(node.children.items(), MAX_NODES) if ignored(key)]
        if at < len(keys) and (child := node.children.get(keys[at])) is not None:
            candidates.append(child)
        for child in candidates:
            n_seen += 1
            end, is_whole = _match_label(child.label, keys, at, ignored)
            longest = max(longest, end)
            if is_whole:
                pending.append((child, end))
    return longest


def _match_label(label: Keys, keys: Keys, at: int, ignored: Callable[[int], bool]) -> tuple[int, bool]:
    """Returns up to where the keys from `at` on are those of a label without its ignored marks, and whether that is all
    of the label."""
    rest = label
    while True:
        n_common = common_prefix_length(rest, keys, at)
        at += n_common
        if n_common == len(rest) or not ignored(rest[n_common]):
            return at, n_common == len(rest)
        rest = rest[n_common + 1 :]
