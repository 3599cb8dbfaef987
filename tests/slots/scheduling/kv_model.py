"""A model of llama.cpp's KV cache, for tests of what is done with it: it knows what every cell was computed from."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slots.errors import SnapshotError
from slots.requests.scope import CacheScope


@dataclass(frozen=True)
class Cell:
    """The keys and values of one token: they depend on all tokens before it."""

    prefix: tuple[int, ...]
    """The tokens up to this one that were in the sequence when it was computed."""
    scope: CacheScope
    """Whose it is."""
    adapters: str = ""
    """What it was computed with."""


class KvModel:
    """What `KvCache` asks of a context. A snapshot's bytes are numbers of what it recorded."""

    def __init__(
        self,
        *,
        is_unified: bool,
        n_ctx: int,
        n_sequences: int,
        can_truncate: bool = True,
        can_share: bool = True,
        bytes_per_token: int = 10,
    ) -> None:
        self.is_unified = is_unified
        self.can_share = is_unified and can_share
        self.can_truncate = can_truncate
        self.can_shift = can_truncate
        self.n_ctx = n_ctx
        self.n_ctx_seq = n_ctx if is_unified else n_ctx // n_sequences
        self.sequences: list[list[Cell]] = [[] for _ in range(n_sequences)]
        self._bytes_per_token = bytes_per_token
        self._snapshots: list[list[Cell]] = []

    @property
    def n_used(self) -> int:
        """Cells in use; one that several sequences share counts once."""
        return len({id(cell) for cells in self.sequences for cell in cells})

    def tokens(self, sequence: int) -> list[int]:
        """What a sequence holds."""
        return [cell.prefix[-1] for cell in self.sequences[sequence]]

    def n_unshifted(self, sequence: int) -> int:
        """How many of its first cells are as computing its tokens would make them."""
        cells, tokens = self.sequences[sequence], tuple(self.tokens(sequence))
        return next((n for n, cell in enumerate(cells) if cell.prefix != tokens[: n + 1]), len(cells))

    def may_hold(self, sequence: int, scope: CacheScope) -> bool:
        """Whether all that a sequence holds is public, or of the same salt."""
        return all(
            cell.scope.salt in ("", scope.salt) or cell.scope.shareable(scope, len(cell.prefix)) == len(cell.prefix)
            for cell in self.sequences[sequence]
        )

    def is_computed_with(self, sequence: int, scope: CacheScope) -> bool:
        """Whether every cell of a sequence was computed with the adapters that the scope says."""
        expected = ["" if n < scope.n_base else scope.adapters for n in range(len(self.sequences[sequence]))]
        return [cell.adapters for cell in self.sequences[sequence]] == expected

    def compute(self, sequence: int, position: int, tokens: list[int], scope: CacheScope, adapters: str = "") -> None:
        cells = self.sequences[sequence]
        assert len(cells) == position, "a sequence continues at its end"
        for token in tokens:
            before = tuple(self.tokens(sequence))
            cells.append(Cell((*before, token), scope, adapters))
        assert self.n_used <= self.n_ctx, "the KV cache has no room"
        assert len(cells) <= self.n_ctx_seq

    def keep_prefix(self, sequence: int, n_tokens: int) -> bool:
        if self.can_truncate or n_tokens in (0, len(self.sequences[sequence])):
            del self.sequences[sequence][n_tokens:]
            return True
        self.sequences[sequence].clear()
        return False

    def clear_sequence(self, sequence: int) -> None:
        self.sequences[sequence].clear()

    def share_prefix(self, source: int, target: int, n_tokens: int) -> None:
        assert self.can_share
        assert source != target
        assert 0 < n_tokens <= len(self.sequences[source])
        assert self.can_truncate or n_tokens == len(self.sequences[source])
        self.sequences[target] = self.sequences[source][:n_tokens]

    def snapshot_bytes(self, sequence: int) -> int:
        return self._bytes_per_token * len(self.sequences[sequence])

    def snapshot(self, sequence: int) -> npt.NDArray[np.uint8]:
        assert self.sequences[sequence], "an empty sequence is not worth a snapshot"
        self._snapshots.append(list(self.sequences[sequence]))
        number = np.array([len(self._snapshots) - 1], np.int64).view(np.uint8)
        return np.resize(number, self.snapshot_bytes(sequence))

    def restore(self, sequence: int, snapshot: npt.NDArray[np.uint8]) -> None:
        cells = self._snapshots[int(snapshot[:8].view(np.int64)[0])]
        self.sequences[sequence] = [Cell(cell.prefix, cell.scope, cell.adapters) for cell in cells]
        if self.n_used > self.n_ctx or len(cells) > self.n_ctx_seq:
            self.sequences[sequence] = []
            raise SnapshotError("no room")

    def remove_range(self, sequence: int, start: int, end: int) -> None:
        assert self.can_shift
        moved = self.sequences[sequence][end:]
        others = {id(cell) for n, cells in enumerate(self.sequences) if n != sequence for cell in cells}
        assert not any(id(cell) in others for cell in moved), "moving shared cells moves them for others as well"
        del self.sequences[sequence][start:end]
