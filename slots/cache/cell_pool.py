"""Cell pool: which cells of a unified KV cache each slot uses. Its cell numbers are not those of llama.cpp. Pure."""

from array import array
from collections.abc import Collection

import numpy as np
import numpy.typing as npt


class CellPool:
    def __init__(self, n_cells: int, n_slots: int) -> None:
        self._ref_counts = np.zeros(n_cells, np.int32)
        self._free = array("i", range(n_cells))
        self._cells_by_slot = [array("i") for _ in range(n_slots)]

    @property
    def n_free(self) -> int:
        return len(self._free)

    def add(self, slot_id: int, n_cells: int) -> None:
        """Append free cells to those of a slot. Raises ValueError if there are too few."""
        if n_cells > len(self._free):
            raise ValueError(f"the pool has {len(self._free)} free cells, {n_cells} are too many")
        start = len(self._free) - n_cells
        cells = self._free[start:]
        del self._free[start:]
        self._ref_counts[_as_array(cells)] = 1
        self._cells_by_slot[slot_id] += cells

    def add_one_each(self, slot_ids: Collection[int]) -> None:
        """Append a free cell to those of each slot. Raises ValueError if there are too few."""
        if len(slot_ids) > len(self._free):
            raise ValueError(f"the pool has {len(self._free)} free cells, {len(slot_ids)} are too many")
        for slot_id in slot_ids:
            cell = self._free.pop()
            self._ref_counts[cell] = 1
            self._cells_by_slot[slot_id].append(cell)

    def share(self, source: int, target: int, n_cells: int) -> None:
        """Replace the cells of `target` by the first `n_cells` cells of `source`."""
        self.remove(target, 0)
        shared = self._cells_by_slot[source][:n_cells]
        self._ref_counts[_as_array(shared)] += 1
        self._cells_by_slot[target] = shared

    def remove(self, slot_id: int, start: int, end: int | None = None) -> None:
        """Remove the cells at [start, end) from a slot; without `end`, all from `start` on."""
        removed = _as_array(self._cells_by_slot[slot_id][start:end])
        del self._cells_by_slot[slot_id][start:end]
        self._ref_counts[removed] -= 1
        self._free.frombytes(removed[self._ref_counts[removed] == 0].tobytes())

    def is_shared(self, slot_id: int, start: int) -> bool:
        """Whether any other slot uses a cell of this slot from index `start` on."""
        return bool((self._ref_counts[_as_array(self._cells_by_slot[slot_id][start:])] > 1).any())

    def shares_with(self, slot_id: int, other_id: int, start: int) -> bool:
        """Whether slot `other_id` uses a cell of slot `slot_id` from index `start` on."""
        is_others = np.zeros(len(self._ref_counts), np.bool_)
        is_others[_as_array(self._cells_by_slot[other_id])] = True
        return bool(is_others[_as_array(self._cells_by_slot[slot_id][start:])].any())

    def n_freed_by(self, slot_ids: Collection[int]) -> int:
        """How many cells are used by these slots only."""
        cells = np.concatenate(
            [_as_array(self._cells_by_slot[slot_id]) for slot_id in slot_ids] or [_as_array(array("i"))]
        )
        n_users = np.bincount(cells, minlength=len(self._ref_counts))
        return int(((n_users > 0) & (n_users == self._ref_counts)).sum())


def _as_array(cells: "array[int]") -> npt.NDArray[np.int32]:
    return np.frombuffer(cells, np.int32)
