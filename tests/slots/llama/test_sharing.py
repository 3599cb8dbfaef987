"""Sequences hold the same cells of the KV cache."""

import pytest

from slots.llama import Model
from tests.slots.llama.sequences import MORE, OTHER, ROUNDING, TEXT, Load, Make, Sequences, assert_close, some_tokens


def test_a_shared_prefix_goes_on_as_if_it_had_been_computed(pool: Sequences) -> None:
    fresh = pool.fresh(2, TEXT[:40] + MORE)
    pool.fresh(0, TEXT)
    pool.fresh(1, OTHER)
    pool.context.share_prefix(0, 1, 40)
    assert_close(pool.feed(1, 40, MORE), fresh, ROUNDING)


def test_a_shared_prefix_takes_no_cells(make: Make, plain_model: Model) -> None:
    sequences = make(plain_model, kv_unified=True, n_ctx=256)
    sequences.fresh(0, OTHER)
    for sequence in (1, 2):
        sequences.context.share_prefix(0, sequence, len(OTHER))
        sequences.feed(sequence, len(OTHER), MORE)


def test_what_shares_cells_keeps_them_when_the_other_goes(pool: Sequences) -> None:
    expected = pool.fresh(0, TEXT + MORE)
    pool.fresh(0, TEXT)
    pool.context.share_prefix(0, 1, len(TEXT))
    pool.fresh(0, OTHER)
    assert_close(pool.feed(1, len(TEXT), MORE), expected, ROUNDING)


@pytest.mark.parametrize("kind", ["recurrent", "hybrid"])
def test_what_cannot_be_cut_is_shared_as_a_whole(make: Make, load: Load, kind: str) -> None:
    sequences = make(load(kind), kv_unified=True)
    expected = sequences.fresh(0, TEXT + MORE)
    sequences.fresh(0, TEXT)
    for sequence in (1, 2):
        sequences.fresh(sequence, OTHER)
        sequences.context.share_prefix(0, sequence, len(TEXT))
    sequences.feed(0, len(TEXT), OTHER)
    for sequence in (1, 2):
        assert_close(sequences.feed(sequence, len(TEXT), MORE), expected, ROUNDING)
    with pytest.raises(ValueError, match="only as a whole"):
        sequences.context.share_prefix(1, 2, len(TEXT))


@pytest.mark.parametrize(
    ("source", "target", "n_tokens"),
    [(0, 0, 10), (0, 1, 0), (0, 1, -1), (0, 1, 101), (1, 2, 1), (-1, 1, 10), (0, 3, 10), (3, 0, 10)],
)
def test_what_cannot_be_shared_is_refused(pool: Sequences, source: int, target: int, n_tokens: int) -> None:
    pool.fresh(0, TEXT)
    with pytest.raises(ValueError, match="sequence"):
        pool.context.share_prefix(source, target, n_tokens)
    assert not pool.is_empty(0)


@pytest.mark.parametrize(("kind", "kv_unified"), [("plain", False), ("window", True)])
def test_sequences_that_cannot_hold_the_same_cells_share_nothing(
    make: Make, load: Load, kind: str, kv_unified: bool
) -> None:
    sequences = make(load(kind), kv_unified=kv_unified)
    sequences.fresh(0, TEXT)
    with pytest.raises(ValueError, match="cannot share cells"):
        sequences.context.share_prefix(0, 1, len(TEXT))


def test_a_pool_with_windows_has_room_for_copies_that_go_on(make: Make, load: Load) -> None:
    sequences = make(load("window"), kv_unified=True)
    sequences.fresh(0, some_tokens(400))
    for sequence in (1, 2):
        sequences.context.restore(sequence, sequences.context.snapshot(0))
    for sequence in range(3):
        sequences.feed(sequence, 400, MORE)
