"""Radix tree over sequences of integers. Pure: it knows neither tokens nor llama.cpp.

    root
     +-- 1 2 3            slots {0, 1}   entry A      0: 1 2 3 4 5       a slot, by its number
         +-- 4 5          slots {0}      entry -      1: 1 2 3           a slot
         +-- 6 7 8        slots {}       entry A      A: 1 2 3 6 7 8     an entry, for example a parked sequence

A node names all slots whose sequences lead through it, which are few, and one of the entries, which may be thousands.
"""

from array import array
from collections.abc import Iterator, Sequence
from typing import Generic, TypeAlias, TypeVar

Keys: TypeAlias = "array[int]"
"""A sequence of 64-bit integers, array("q")."""

EntryT = TypeVar("EntryT")

_FIRST_STRIDE = 256
"""Length of the first slices to compare: they are compared in C, but long ones are expensive to make."""


def common_prefix_length(one: Sequence[int], other: Sequence[int], start: int = 0) -> int:
    """How many integers `one` and `other[start:]`, of the same type, have in common at their beginnings."""
    max_length = min(len(one), len(other) - start)
    low, high = 0, min(_FIRST_STRIDE, max_length)
    while one[low:high] == other[start + low : start + high]:
        if high == max_length:
            return max_length
        low, high = high, min(2 * high, max_length)
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[start + low : start + middle]:
            low = middle
        else:
            high = middle
    return low


class Node(Generic[EntryT]):
    """A stretch of keys that one or more sequences have in common."""

    __slots__ = ("children", "depth", "entry", "label", "parent", "slots", "terminal")

    def __init__(self, label: Keys, parent: "Node[EntryT] | None", depth: int) -> None:
        self.label = label
        self.parent = parent
        self.depth = depth
        """Number of keys from the root to the end of this stretch."""
        self.children: dict[int, Node[EntryT]] = {}
        self.slots: frozenset[int] = frozenset()
        self.entry: EntryT | None = None
        self.terminal: EntryT | None = None
        """The entry whose sequence ends here."""

    def walk(self, keys: Keys) -> Iterator[tuple["Node[EntryT]", int]]:
        """Yields the nodes below along a sequence, each with the matching depth: its own, or less for the last one."""
        node, at = self, 0
        while at < len(keys) and (child := node.children.get(keys[at])) is not None:
            n_common = common_prefix_length(child.label, keys, at)
            at += n_common
            yield child, self.depth + at
            if n_common < len(child.label):
                return
            node = child

    def descend(self, keys: Keys) -> tuple["Node[EntryT]", int]:
        """Returns the last node of a walk and the depth; this node if no child has the first key."""
        return [(self, self.depth), *self.walk(keys)][-1]

    def path_up_to(self, top: "Node[EntryT]") -> Iterator["Node[EntryT]"]:
        node = self
        while node is not top and node.parent is not None:
            yield node
            node = node.parent

    def any_entry(self) -> EntryT | None:
        """Returns an entry of this node or a child. Children without one have slots, so there are few."""
        if self.terminal is not None:
            return self.terminal
        return next((child.entry for child in self.children.values() if child.entry is not None), None)


class RadixTree(Generic[EntryT]):
    """Every node but the root has a slot or an entry, and two or more children unless a sequence ends there. So a walk
    takes one step per branching, and removed sequences leave no nodes."""

    def __init__(self) -> None:
        self.root: Node[EntryT] = Node(array("q"), None, 0)

    def extend_slot(self, slot_id: int, end: Node[EntryT], keys: Keys) -> Node[EntryT]:
        """Append keys to a slot's sequence, which ends at `end`. Returns its new end."""
        new_end = _insert(end, keys)
        for node in new_end.path_up_to(end):
            node.slots |= {slot_id}
        _prune(end)
        return new_end

    def truncate_slot(self, slot_id: int, end: Node[EntryT], depth: int) -> Node[EntryT]:
        """Cut a slot's sequence, which ends at `end`, to `depth` keys. Returns its new end."""
        new_end = end
        while new_end.parent is not None and new_end.parent.depth >= depth:
            new_end = new_end.parent
        if new_end.depth > depth:
            new_end = _split(new_end, depth)
        for node in end.path_up_to(new_end):
            node.slots -= {slot_id}
        _prune(end)
        return new_end

    def add_entry(self, keys: Keys, entry: EntryT) -> Node[EntryT]:
        """Add a sequence that no other entry has. Returns its end."""
        end = _insert(self.root, keys)
        end.terminal = entry
        for node in end.path_up_to(self.root):
            node.entry = entry
        return end

    def remove_entry(self, end: Node[EntryT]) -> None:
        """Remove the sequence of the entry that ends at `end`."""
        entry, end.terminal = end.terminal, None
        for node in end.path_up_to(self.root):
            if node.entry is entry:
                node.entry = node.any_entry()
        _prune(end)


def _insert(start: Node[EntryT], keys: Keys) -> Node[EntryT]:
    node, depth = start.descend(keys)
    if depth < node.depth:
        node = _split(node, depth)
    rest = keys[depth - start.depth :]
    if not rest:
        return node
    leaf = Node(rest, node, depth + len(rest))
    node.children[rest[0]] = leaf
    return leaf


def _split(node: Node[EntryT], depth: int) -> Node[EntryT]:
    """Split a node at `depth` and return the upper part; the lower one stays the end of its sequences."""
    assert node.parent is not None
    n_upper = len(node.label) - (node.depth - depth)
    upper = Node(node.label[:n_upper], node.parent, depth)
    upper.slots, upper.entry = node.slots, node.entry
    node.parent.children[node.label[0]] = upper
    node.label, node.parent = node.label[n_upper:], upper
    upper.children[node.label[0]] = node
    return upper


def _prune(node: Node[EntryT]) -> None:
    """Restore the shape after a sequence was removed from `node` and its ancestors, or no longer ends there. Of these
    only `node` can be without a sequence now: its ancestors have other children, or ends of sequences."""
    if node.parent is not None and not node.slots and node.entry is None:
        del node.parent.children[node.label[0]]
        node = node.parent
    if node.parent is None or node.terminal is not None or len(node.children) != 1:
        return
    (child,) = node.children.values()
    if child.slots == node.slots:
        child.label = node.label + child.label
        child.parent = node.parent
        node.parent.children[child.label[0]] = child
