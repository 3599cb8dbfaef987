"""What has been computed of a prompt's beginning, and where it is: in slots, or parked in host memory.

Pure: it knows tokens, not llama.cpp. Snapshots are bytes to it.
"""

from array import array
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from slots.cache.radix_tree import Keys, Node, RadixTree
from slots.requests.scope import CacheScope

_MAX_PARTIAL_SHARE = 0.5
"""What a sequence may have of it that does not fit as a whole: the others are not all to go for a part of one."""


@dataclass(frozen=True, slots=True, eq=False)
class ParkedSequence:
    """A sequence that lost its slot."""

    tokens: Sequence[int]
    scope: CacheScope
    snapshot: npt.NDArray[np.uint8]
    """The sequence's state, opaque to the cache."""


@dataclass(frozen=True, slots=True)
class PrefixMatch:
    """What there is of a prompt's beginning."""

    by_slot: Mapping[int, int]
    """The slots that have at least one token of it, and how many each has."""
    slot_id: int | None
    """The slot that has the most of it; None if none has any."""
    parked: ParkedSequence | None
    """The parked sequence that has the most of it; None if none has any."""
    n_parked: int
    """How many tokens that one has."""
    n_common: int
    """How many tokens of it some sequence begins with, also where that one cannot be cut so that it can be taken."""

    @property
    def n_live(self) -> int:
        """Most tokens that a slot has."""
        return 0 if self.slot_id is None else self.by_slot[self.slot_id]

    @property
    def n_tokens(self) -> int:
        """Most tokens that there are anywhere."""
        return max(self.n_live, self.n_parked)


@dataclass(slots=True)
class _LiveSequence:
    """The sequence in a slot."""

    scope: CacheScope
    n_tokens: int
    end: Node[ParkedSequence]


class PrefixCache:
    """The longest common prefixes of a prompt and all sequences there are, live in slots or parked, in one walk.

    Who may take what: sequences of one scope meet on all the tokens that they have in common, those of two scopes only
    on tokens that are public in both. The salt "" is that of everyone who asked for nothing: all of such a sequence
    counts as public, so it meets a salted one on what is public in that one, and no further.

    Parked sequences stay within a budget of bytes; the least recently used ones go first.
    """

    def __init__(self, budget_bytes: int | None, *, can_truncate: bool) -> None:
        """`budget_bytes`: None is no limit, 0 parks nothing. Without `can_cut` a sequence can only be taken whole."""
        self._budget_bytes = budget_bytes
        self._can_truncate = can_truncate
        self._tree: RadixTree[ParkedSequence] = RadixTree()
        self._live: dict[int, _LiveSequence] = {}
        self._parked: OrderedDict[ParkedSequence, Node[ParkedSequence]] = OrderedDict()
        """The least recently used one first, each with where its sequence ends."""
        self._n_parked_bytes = 0

    @property
    def n_parked_bytes(self) -> int:
        """Bytes of all snapshots."""
        return self._n_parked_bytes

    @property
    def n_parked_entries(self) -> int:
        """Number of parked sequences."""
        return len(self._parked)

    def set_live(self, slot_id: int, tokens: Sequence[int], scope: CacheScope) -> None:
        """A slot has these tokens now, and nothing else. What it gets later has the same scope."""
        self.truncate_live(slot_id, 0)
        self._live[slot_id] = _LiveSequence(scope, 0, self._tree.root)
        self.extend_live(slot_id, tokens)

    def extend_live(self, slot_id: int, tokens: Sequence[int]) -> None:
        """A slot, once set, got more tokens behind those that it has."""
        live = self._live[slot_id]
        symbols = _to_keys(tokens, live.scope, live.n_tokens)
        live.end = self._tree.extend_slot(slot_id, live.end, symbols)
        live.n_tokens += len(tokens)

    def truncate_live(self, slot_id: int, n_tokens: int) -> None:
        """A slot has no more than its first `n_tokens` tokens any longer."""
        if n_tokens < self.n_live(slot_id):
            live = self._live[slot_id]
            live.end = self._tree.truncate_slot(slot_id, live.end, _n_keys(n_tokens, live.scope))
            live.n_tokens = n_tokens

    def n_live(self, slot_id: int) -> int:
        """How many tokens a slot has."""
        live = self._live.get(slot_id)
        return live.n_tokens if live else 0

    def match(self, tokens: Sequence[int], scope: CacheScope, limit: int) -> PrefixMatch:
        """What there is of the first `limit` tokens of a prompt.

        Where sequences can be cut, each counts with what it has in common with them, otherwise only those count that
        they begin with as a whole.
        """
        by_slot: dict[int, int] = {}
        parked, n_parked, n_agreed = None, 0, 0
        for node, depth in self._tree.root.walk(_to_keys(tokens[:limit], scope)):
            n_tokens = n_agreed = _n_tokens(depth, scope)
            if n_tokens > 0:
                slots, entry = self._usable(node, depth)
                by_slot.update(dict.fromkeys(slots, n_tokens))
                if entry is not None:
                    parked, n_parked = entry, n_tokens
        slot_id = max(by_slot, key=by_slot.__getitem__, default=None)
        return PrefixMatch(by_slot, slot_id, parked, n_parked, n_agreed)

    def is_parked(self, tokens: Sequence[int], scope: CacheScope) -> bool:
        """Whether parking a sequence would add nothing: it is empty, or parked, or, where sequences can be cut, a part
        of a parked one. Counts as a use of the parked one."""
        symbols = _to_keys(tokens, scope)
        node, depth = self._tree.root.descend(symbols)
        if depth < len(symbols):
            return False
        _, parked = self._usable(node, depth)
        if parked is not None:
            self.touch(parked)
        return parked is not None or not symbols

    def has_room(self, n_bytes: int) -> bool:
        """Whether a snapshot of this size may be parked, if others go for it."""
        return self._budget_bytes is None or 0 < self._budget_bytes >= n_bytes

    def n_parkable(self, n_tokens: int, n_bytes: int) -> int:
        """How many of the first tokens of a sequence are to be parked, if a snapshot of all of them has this size."""
        if self._budget_bytes is None or n_bytes <= self._budget_bytes:
            return n_tokens
        return int(_MAX_PARTIAL_SHARE * n_tokens * self._budget_bytes / n_bytes)

    def park(self, tokens: Sequence[int], scope: CacheScope, snapshot: npt.NDArray[np.uint8]) -> None:
        """Keep a sequence that loses its slot, unless it is parked already or there is no room for it.

        Where sequences can be cut, those that are a part of it go. Then the least recently used ones go until it fits.
        """
        if self.is_parked(tokens, scope) or not self.has_room(snapshot.nbytes):
            return
        symbols = _to_keys(tokens, scope)
        if self._can_truncate:
            for part in [node.terminal for node, depth in self._tree.root.walk(symbols) if depth == node.depth]:
                if part is not None:
                    self.remove(part)
        while self._budget_bytes is not None and self._n_parked_bytes + snapshot.nbytes > self._budget_bytes:
            self.remove(next(iter(self._parked)))
        parked = ParkedSequence(array("i", tokens), scope, snapshot)
        self._parked[parked] = self._tree.add_entry(symbols, parked)
        self._n_parked_bytes += snapshot.nbytes

    def touch(self, parked: ParkedSequence) -> None:
        """A parked sequence was of use: it goes later than the others. Nothing happens if it has gone already."""
        if parked in self._parked:
            self._parked.move_to_end(parked)

    def remove(self, parked: ParkedSequence) -> None:
        """Take a parked sequence out. Nothing happens if it has gone already."""
        end = self._parked.pop(parked, None)
        if end is not None:
            self._tree.remove_entry(end)
            self._n_parked_bytes -= parked.snapshot.nbytes

    def _usable(self, node: Node[ParkedSequence], depth: int) -> tuple[Iterable[int], ParkedSequence | None]:
        """The slots, and a parked sequence, that can be cut to a depth at the end of or within a node."""
        if self._can_truncate:
            return node.slots, node.entry
        if depth < node.depth:
            return (), None
        return (slot_id for slot_id in node.slots if self._live[slot_id].end is node), node.terminal


def _to_keys(tokens: Sequence[int], scope: CacheScope, n_before: int = 0) -> Keys:
    """What stands in the tree for the tokens of a sequence that come after its first `n_before`: these tokens, with the
    salt, as a negative number, which no token is, in front of the first one that is not public."""
    symbols = array("q", tokens)
    if scope.salt and n_before <= scope.n_public < n_before + len(tokens):
        digest = blake2b(scope.salt.encode(errors="surrogatepass"), digest_size=8).digest()
        symbols.insert(scope.n_public - n_before, -1 - (int.from_bytes(digest) >> 1))
    return symbols


def _n_keys(n_tokens: int, scope: CacheScope) -> int:
    """How many symbols stand for the first tokens of a sequence."""
    return n_tokens + 1 if scope.salt and n_tokens > scope.n_public else n_tokens


def _n_tokens(n_keys: int, scope: CacheScope) -> int:
    """For how many tokens the first symbols of a sequence stand."""
    return n_keys - 1 if scope.salt and n_keys > scope.n_public else n_keys
