"""parked_tree: the parked sequences as a tree of what they have in common, for people to look at."""

from dataclasses import dataclass, field

from slots.cache.prefix_cache import ParkedSequence, is_mark
from slots.cache.radix_tree import Node

MAX_NODES = 64
N_FIRST_TOKENS = 16


@dataclass(slots=True)
class ParkedPrefix:
    """A stretch of tokens that one or more parked sequences have in common."""

    n_tokens: int
    n_bytes: int
    """Size of the sequence that ends with it; 0 if none does."""
    slots: list[int]
    """The slots that hold it as well."""
    first_tokens: list[int]
    children: list["ParkedPrefix"] = field(default_factory=list)
    n_hidden: int = 0
    """How many more children it has."""


def parked_tree(root: Node[ParkedSequence], max_nodes: int = MAX_NODES) -> ParkedPrefix:
    """Returns the root, which has no tokens, with at most `max_nodes` others below it, the nearest ones first. Another
    thread may change the tree meanwhile."""
    top = _prefix_of(root)
    level, n_left = [(root, top)], max_nodes
    while level:
        below: list[tuple[Node[ParkedSequence], ParkedPrefix]] = []
        for node, prefix in level:
            children = [child for child in list(node.children.values()) if child.entry is not None]
            for child in children[:n_left]:
                prefix.children.append(_prefix_of(child))
                below.append((child, prefix.children[-1]))
            prefix.n_hidden = len(children) - len(prefix.children)
            n_left -= len(prefix.children)
        level = below
    return top


def _prefix_of(node: Node[ParkedSequence]) -> ParkedPrefix:
    label, terminal = node.label, node.terminal
    first = [token for token in label[: N_FIRST_TOKENS + 1] if token >= 0]
    n_tokens = len(label) - sum(map(is_mark, label))
    n_bytes = terminal.snapshot.nbytes if terminal is not None else 0
    return ParkedPrefix(n_tokens, n_bytes, sorted(node.slots), first[:N_FIRST_TOKENS])
