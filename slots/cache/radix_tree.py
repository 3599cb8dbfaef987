"""A radix tree over sequences of integers. Pure: it knows neither tokens nor llama.cpp.

Every sequence has an owner: a slot, which is known by its number, or an entry, which is an object. Slots are few, so a
node names all whose sequences lead through it. Entries may be many thousands: of those a node names only one.
"""

from array import array
from collections.abc import Iterator, Sequence
from typing import Generic, TypeAlias, TypeVar

Keys: TypeAlias = "array[int]"
"""What the tree compares: 64-bit integers, array("q")."""

EntryT = TypeVar("EntryT")

_FIRST_STRIDE = 256
"""Symbols compared at first: slices are compared in C, single ones are not, but long slices take long to make."""


def common_prefix_length(one: Sequence[int], other: Sequence[int], start: int = 0) -> int:
    """How many numbers `one` and `other[start:]`, of the same type, have in common at their beginnings."""
    longest = min(len(one), len(other) - start)
    low, high = 0, min(_FIRST_STRIDE, longest)
    while one[low:high] == other[start + low : start + high]:
        if high == longest:
            return longest
        low, high = high, min(2 * high, longest)
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[start + low : start + middle]:
            low = middle
        else:
            high = middle
    return low


class Node(Generic[EntryT]):
    """A stretch that one or more sequences have in common. Each of them goes along all of it."""

    __slots__ = ("children", "depth", "entry", "label", "parent", "slots", "terminal")

    def __init__(self, label: Keys, parent: "Node[EntryT] | None", depth: int) -> None:
        self.label = label
        self.parent = parent
        self.depth = depth
        """Number of symbols from the root to the end of this stretch."""
        self.children: dict[int, Node[EntryT]] = {}
        """By the first symbol of their labels."""
        self.slots: frozenset[int] = frozenset()
        """All slots whose sequences lead through here or end here."""
        self.entry: EntryT | None = None
        """One of the entries whose sequences lead through here or end here; None if there is none."""
        self.terminal: EntryT | None = None
        """The entry whose sequence ends here."""

    def walk(self, keys: Keys) -> Iterator[tuple["Node[EntryT]", int]]:
        """The nodes along a sequence that goes on where this one ends, each with the depth up to which it agrees with
        the sequence. In all but the last that is the node's own depth; the last may agree in a part only."""
        node, at = self, 0
        while at < len(keys) and (child := node.children.get(keys[at])) is not None:
            n_common = common_prefix_length(child.label, keys, at)
            at += n_common
            yield child, self.depth + at
            if n_common < len(child.label):
                return
            node = child

    def descend(self, keys: Keys) -> tuple["Node[EntryT]", int]:
        """The last node of a walk and the depth there; this one itself if no other has the first symbol."""
        return [(self, self.depth), *self.walk(keys)][-1]

    def path_up_to(self, top: "Node[EntryT]") -> Iterator["Node[EntryT]"]:
        """This node and those above it, from below, without `top` and what is above that."""
        node = self
        while node is not top and node.parent is not None:
            yield node
            node = node.parent

    def any_entry(self) -> EntryT | None:
        """An entry whose sequence ends here or leads to a child. Children without any have slots, so they are few."""
        if self.terminal is not None:
            return self.terminal
        return next((child.entry for child in self.children.values() if child.entry is not None), None)


class RadixTree(Generic[EntryT]):
    """Finds, in one walk along a sequence, who else has its beginning.

    Every node but the root has an owner, and two children or more unless a sequence ends there. So a walk takes no more
    steps than there are places where sequences part, and owners that went leave nothing behind.
    """

    def __init__(self) -> None:
        self.root: Node[EntryT] = Node(array("q"), None, 0)

    def extend_slot(self, slot_id: int, end: Node[EntryT], keys: Keys) -> Node[EntryT]:
        """Let a slot's sequence, that ended at `end`, go on. Returns where it ends then."""
        new_end = _insert(end, keys)
        for node in new_end.path_up_to(end):
            node.slots |= {slot_id}
        _prune(end)
        return new_end

    def truncate_slot(self, slot_id: int, end: Node[EntryT], depth: int) -> Node[EntryT]:
        """Let a slot's sequence, that ended at `end`, end at `depth`. Returns where that is."""
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
        """Add a sequence that no other entry has. Returns where it ends."""
        end = _insert(self.root, keys)
        end.terminal = entry
        for node in end.path_up_to(self.root):
            node.entry = entry
        return end

    def remove_entry(self, end: Node[EntryT]) -> None:
        """Remove the sequence of the entry that ends there."""
        entry, end.terminal = end.terminal, None
        for node in end.path_up_to(self.root):
            if node.entry is entry:
                node.entry = node.any_entry()
        _prune(end)


def _insert(start: Node[EntryT], keys: Keys) -> Node[EntryT]:
    """The node that ends where a sequence ends that goes on from `start`; made if there is none."""
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
    """Make two of a node that reaches beyond `depth`, and return the upper one. The lower one stays the same object, so
    whoever ends there still does."""
    assert node.parent is not None
    n_upper = len(node.label) - (node.depth - depth)
    upper = Node(node.label[:n_upper], node.parent, depth)
    upper.slots, upper.entry = node.slots, node.entry
    node.parent.children[node.label[0]] = upper
    node.label, node.parent = node.label[n_upper:], upper
    upper.children[node.label[0]] = node
    return upper


def _prune(node: Node[EntryT]) -> None:
    """Restore the shape after an owner went from `node` and those above it, or no longer ends there. What it had alone
    can only be the lowest node: those above have other children, or others end there."""
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
