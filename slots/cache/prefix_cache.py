"""Prefix cache: finds the cached prefix of a prompt, live in a slot or parked in host memory. Pure."""

from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from slots.cache.radix_tree import Keys, Node, RadixTree
from slots.requests.media import MIN_PSEUDO_TOKEN, cut_before
from slots.requests.scope import ADAPTERS_MARK, CacheScope

_MAX_PARTIAL_SHARE = 0.5
"""Share of the budget for a part of a sequence that exceeds it, so that not all others are removed for it."""


@dataclass(frozen=True, slots=True, eq=False)
class ParkedSequence:
    """A sequence that lost its slot, in host memory."""

    tokens: Sequence[int]
    scope: CacheScope
    snapshot: npt.NDArray[np.uint8]
    """The sequence's state, in llama.cpp's own format."""


@dataclass(frozen=True, slots=True)
class PrefixMatch:
    """The cached part of a prompt."""

    by_slot: Mapping[int, int]
    """How many tokens of it each slot holds; only slots with at least one."""
    slot_id: int | None
    """The slot with the most."""
    parked: ParkedSequence | None
    """The parked sequence with the most, which are `n_parked`."""
    n_parked: int
    n_common: int
    """How many tokens any sequence has in common with it, even one that cannot be truncated to them."""
    parts: bool = False
    """Whether all sequences that have these go on with other tokens."""

    @property
    def n_live(self) -> int:
        return 0 if self.slot_id is None else self.by_slot[self.slot_id]

    @property
    def n_tokens(self) -> int:
        return max(self.n_live, self.n_parked)


@dataclass(slots=True)
class _LiveSequence:
    scope: CacheScope
    n_tokens: int
    end: Node[ParkedSequence]


class PrefixCache:
    """A radix tree of all live and parked sequences. The least recently used parked ones are removed over a budget.

    The salt of a scope is a key in front of the first private token, and its adapters are one in front of the first
    token computed with them. So sequences of the same scope match on all common tokens, those of different scopes only
    on tokens that are public, and computed by the base model, in both.
    """

    def __init__(self, budget_bytes: int | None, *, can_truncate: bool) -> None:
        """`budget_bytes`: None means no limit, 0 parks nothing. Without `can_truncate` only whole sequences match."""
        self._budget_bytes = budget_bytes
        self._can_truncate = can_truncate
        self._tree: RadixTree[ParkedSequence] = RadixTree()
        self._live: dict[int, _LiveSequence] = {}
        self._parked: OrderedDict[ParkedSequence, Node[ParkedSequence]] = OrderedDict()
        """Each with the end of its sequence, the least recently used one first."""
        self._n_parked_bytes = 0
        self.on_evicted: Callable[[ParkedSequence], None] = lambda _parked: None
        """Called with a parked sequence that is removed to make room."""

    @property
    def root(self) -> Node[ParkedSequence]:
        """The root of the tree, to be looked at."""
        return self._tree.root

    @property
    def budget_bytes(self) -> int | None:
        return self._budget_bytes

    @property
    def n_parked_bytes(self) -> int:
        return self._n_parked_bytes

    @property
    def n_parked_entries(self) -> int:
        return len(self._parked)

    def set_live(self, slot_id: int, tokens: Sequence[int], scope: CacheScope) -> None:
        """Replace the tokens of a slot. Tokens that are added later have the same scope."""
        self.truncate_live(slot_id, 0)
        self._live[slot_id] = _LiveSequence(scope, 0, self._tree.root)
        self.extend_live(slot_id, tokens)

    def extend_live(self, slot_id: int, tokens: Sequence[int]) -> None:
        live = self._live[slot_id]
        keys = to_keys(tokens, live.scope, live.n_tokens)
        live.end = self._tree.extend_slot(slot_id, live.end, keys)
        live.n_tokens += len(tokens)

    def truncate_live(self, slot_id: int, n_tokens: int) -> None:
        if n_tokens < self.n_live(slot_id):
            live = self._live[slot_id]
            live.end = self._tree.truncate_slot(slot_id, live.end, _n_keys(n_tokens, live.scope))
            live.n_tokens = n_tokens

    def n_live(self, slot_id: int) -> int:
        live = self._live.get(slot_id)
        return live.n_tokens if live else 0

    def match(self, tokens: Sequence[int], scope: CacheScope, limit: int) -> PrefixMatch:
        """Returns the cached part of the first `limit` tokens of a prompt. It ends where media may be cut."""
        by_slot: dict[int, int] = {}
        parked, n_parked, n_common = None, 0, 0
        node, depth = self._tree.root, 0
        for node, depth in self._tree.root.walk(to_keys(tokens[:limit], scope)):
            n_found = tokens_at(depth, scope)
            n_tokens = n_common = cut_before(tokens, n_found)
            if n_tokens > 0 and (self._can_truncate or n_tokens == n_found):
                slots, entry = self._usable(node, depth)
                by_slot.update(dict.fromkeys(slots, n_tokens))
                if entry is not None:
                    parked, n_parked = entry, n_tokens
        slot_id = max(by_slot, key=by_slot.__getitem__, default=None)
        return PrefixMatch(by_slot, slot_id, parked, n_parked, n_common, self._parts(node, depth))

    def is_parked(self, tokens: Sequence[int], scope: CacheScope) -> bool:
        """Whether nothing has to be parked: the sequence is empty or (a prefix of) a parked one, which is touched."""
        keys = to_keys(tokens, scope)
        node, depth = self._tree.root.descend(keys)
        if depth < len(keys):
            return False
        _, parked = self._usable(node, depth)
        if parked is not None:
            self.touch(parked)
        return parked is not None or not keys

    def has_room(self, n_bytes: int) -> bool:
        """Whether a snapshot of this size can be parked, by removing others if necessary."""
        return self._budget_bytes is None or 0 < self._budget_bytes >= n_bytes

    def n_parkable(self, n_tokens: int, n_bytes: int) -> int:
        """How many of the first tokens of a sequence to park, if a snapshot of all of them has `n_bytes`."""
        if self._budget_bytes is None or n_bytes <= self._budget_bytes:
            return n_tokens
        return int(_MAX_PARTIAL_SHARE * n_tokens * self._budget_bytes / n_bytes)

    def park(self, tokens: Sequence[int], scope: CacheScope, snapshot: npt.NDArray[np.uint8]) -> None:
        """Park a sequence, unless it is parked already or too large, in place of its parked prefixes."""
        if self.is_parked(tokens, scope) or not self.has_room(snapshot.nbytes):
            return
        keys = to_keys(tokens, scope)
        if self._can_truncate:
            for prefix in [node.terminal for node, depth in self._tree.root.walk(keys) if depth == node.depth]:
                if prefix is not None:
                    self.remove(prefix)
        while self._budget_bytes is not None and self._n_parked_bytes + snapshot.nbytes > self._budget_bytes:
            oldest = next(iter(self._parked))
            self.remove(oldest)
            self.on_evicted(oldest)
        parked = ParkedSequence(array("q", tokens), scope, snapshot)
        self._parked[parked] = self._tree.add_entry(keys, parked)
        self._n_parked_bytes += snapshot.nbytes

    def touch(self, parked: ParkedSequence) -> None:
        if parked in self._parked:
            self._parked.move_to_end(parked)

    def remove(self, parked: ParkedSequence) -> None:
        end = self._parked.pop(parked, None)
        if end is not None:
            self._tree.remove_entry(end)
            self._n_parked_bytes -= parked.snapshot.nbytes

    def shared_with_others(self, slot_id: int) -> int:
        """Returns how many of the first tokens of a slot another slot has, or host memory. For any thread."""
        live = self._live.get(slot_id)
        if live is None:
            return 0
        shared = (
            node for node in live.end.path_up_to(self._tree.root) if len(node.slots) > 1 or node.entry is not None
        )
        return min(tokens_at(max((node.depth for node in shared), default=0), live.scope), live.n_tokens)

    def _parts(self, node: Node[ParkedSequence], depth: int) -> bool:
        """Whether every sequence through `depth`, at the end of a node or within it, goes on after that."""
        if depth < node.depth:
            return True
        ends_here = node.terminal is not None or any(self._live[slot_id].end is node for slot_id in node.slots)
        return not ends_here and not all(map(is_mark, node.children))

    def _usable(self, node: Node[ParkedSequence], depth: int) -> tuple[Iterable[int], ParkedSequence | None]:
        """Returns the slots and a parked sequence that can be truncated to a depth at the end of, or within, a node."""
        if self._can_truncate:
            return node.slots, node.entry
        if depth < node.depth:
            return (), None
        return (slot_id for slot_id in node.slots if self._live[slot_id].end is node), node.terminal


def to_keys(tokens: Sequence[int], scope: CacheScope, n_before: int = 0) -> Keys:
    """Returns the keys of a sequence's tokens after its first `n_before`, and among them those of its scope's marks."""
    keys = array("q", tokens)
    for position, text in reversed(scope.marks):  # so that the positions before it stay
        if n_before <= position < n_before + len(tokens):
            keys.insert(position - n_before, _mark_key(text))
    return keys


def _mark_key(text: str) -> int:
    """Returns a number below those of pseudo-tokens, which is odd for adapters."""
    digest = blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()
    number = int.from_bytes(digest) >> 3 << 1 | text.startswith(ADAPTERS_MARK)
    return -(2**63) + number


def is_mark(key: int) -> bool:
    return key < MIN_PSEUDO_TOKEN


def is_adapters_mark(key: int) -> bool:
    return is_mark(key) and key % 2 == 1


def _n_keys(n_tokens: int, scope: CacheScope) -> int:
    return n_tokens + sum(position < n_tokens for position, _ in scope.marks)


def tokens_at(n_keys: int, scope: CacheScope) -> int:
    n_marks = 0
    for position, _ in scope.marks:
        n_marks += position + n_marks < n_keys
    return n_keys - n_marks
