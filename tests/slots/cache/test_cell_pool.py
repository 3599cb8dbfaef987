import pytest

from slots.cache.cell_pool import CellPool


def test_cells_that_are_added_are_no_longer_free() -> None:
    cells = CellPool(10, 2)
    cells.add(0, 4)
    assert cells.n_free == 6


def test_more_cells_than_are_free_cannot_be_added() -> None:
    cells = CellPool(10, 2)
    cells.add(0, 8)
    with pytest.raises(ValueError, match="2 free cells, 3 are too many"):
        cells.add(1, 3)


def test_shared_cells_are_used_once() -> None:
    cells = CellPool(10, 2)
    cells.add(0, 6)
    cells.share(0, 1, 4)
    assert cells.n_free == 4


def test_sharing_replaces_what_a_slot_had() -> None:
    cells = CellPool(10, 2)
    cells.add(0, 4)
    cells.add(1, 6)
    cells.share(0, 1, 4)
    assert cells.n_free == 6


def test_a_shared_cell_is_free_when_the_last_one_lets_go_of_it() -> None:
    cells = CellPool(10, 2)
    cells.add(0, 6)
    cells.share(0, 1, 4)
    cells.remove(0, 0)
    assert cells.n_free == 6
    cells.remove(1, 0)
    assert cells.n_free == 10


def test_cells_are_removed_from_the_middle() -> None:
    cells = CellPool(10, 1)
    cells.add(0, 8)
    cells.remove(0, 2, 5)
    assert cells.n_free == 5
    cells.remove(0, 5)
    assert cells.n_free == 5


def test_cells_are_shared_from_a_place_on_if_any_behind_it_is() -> None:
    cells = CellPool(10, 2)
    cells.add(0, 6)
    cells.share(0, 1, 4)
    assert cells.is_shared(0, 3)
    assert not cells.is_shared(0, 4)


def test_what_slots_would_free_leaves_out_what_others_use() -> None:
    cells = CellPool(20, 3)
    cells.add(0, 6)
    cells.share(0, 1, 4)
    cells.add(1, 3)
    assert cells.n_freed_by([0]) == 2
    assert cells.n_freed_by([1]) == 3
    assert cells.n_freed_by([0, 1]) == 9
    assert cells.n_freed_by([2]) == cells.n_freed_by([]) == 0
