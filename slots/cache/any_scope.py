"""common_in_any_scope: what a prompt has in common with sequences of other scopes, which it may not use. Pure."""

from itertools import islice
from typing import TypeVar

from slots.cache.radix_tree import Keys, Node, common_prefix_length

MAX_NODES = 256
"""Branches that are looked at: each salt makes one."""

EntryT = TypeVar("EntryT")


def common_in_any_scope(root: Node[EntryT], tokens: Keys) -> int:
    """Returns the length of the longest common prefix of `tokens` and a sequence below `root`, without the keys of
    salts, which are negative."""
    longest, n_seen = 0, 0
    pending = [(root, 0)]
    while pending and n_seen < MAX_NODES:
        node, at = pending.pop()
        candidates = [child for key, child in islice(node.children.items(), MAX_NODES) if key < 0]
        if at < len(tokens) and (child := node.children.get(tokens[at])) is not None:
            candidates.append(child)
        for child in candidates:
            n_seen += 1
            end, is_whole = _match_label(child.label, tokens, at)
            longest = max(longest, end)
            if is_whole:
                pending.append((child, end))
    return longest


def _match_label(label: Keys, tokens: Keys, at: int) -> tuple[int, bool]:
    """Returns up to where the tokens from `at` on are those of a label that may have one salt in it, and whether that
    is all of the label."""
    n_common = common_prefix_length(label, tokens, at)
    if n_common == len(label) or label[n_common] >= 0:
        return at + n_common, n_common == len(label)
    rest = label[n_common + 1 :]
    n_after = common_prefix_length(rest, tokens, at + n_common)
    return at + n_common + n_after, n_after == len(rest)
