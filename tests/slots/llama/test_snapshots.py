"""Sequences are saved and restored, for every kind of memory that models have."""

from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest

from slots.errors import SnapshotError
from slots.llama import Model, Snapshot
from tests.slots.llama.sequences import (
    KINDS,
    LAYOUTS,
    MORE,
    OTHER,
    ROUNDING,
    TEXT,
    Load,
    Make,
    Sequences,
    assert_close,
    some_tokens,
)
from tests.slots.llama.tiny_models import HEAD_SIZE, WINDOW


@LAYOUTS
@pytest.mark.parametrize("cache", [{}, {"flash_attention": "on", "cache_type_k": "f32", "cache_type_v": "f32"}])
def test_a_copy_continues_as_the_sequence_that_it_is_of(
    make: Make, model: Model, kv_unified: bool, cache: dict[str, str]
) -> None:
    sequences = make(model, kv_unified=kv_unified, **cache)
    fresh = sequences.fresh(2, TEXT + MORE)
    sequences.fresh(0, TEXT)
    sequences.fresh(1, OTHER)
    sequences.context.restore(1, sequences.context.snapshot(0))
    copied = sequences.feed(1, len(TEXT), MORE)
    assert_close(copied, sequences.feed(0, len(TEXT), MORE), ROUNDING)
    assert_close(copied, fresh, ROUNDING)


@LAYOUTS
def test_a_snapshot_outlives_what_it_was_taken_from(make: Make, model: Model, kv_unified: bool) -> None:
    sequences = make(model, kv_unified=kv_unified)
    sequences.fresh(0, TEXT)
    snapshot = sequences.context.snapshot(0)
    expected = sequences.feed(0, len(TEXT), MORE)
    for sequence in range(3):
        sequences.fresh(sequence, OTHER)
    sequences.context.restore(2, snapshot)
    assert_close(sequences.feed(2, len(TEXT), MORE), expected, ROUNDING)


@LAYOUTS
def test_a_restored_sequence_leaves_the_others_as_they_are(make: Make, model: Model, kv_unified: bool) -> None:
    sequences = make(model, kv_unified=kv_unified)
    expected = sequences.fresh(0, OTHER + MORE)
    sequences.fresh(1, TEXT)
    snapshot = sequences.context.snapshot(1)
    sequences.fresh(0, OTHER)
    for _ in range(3):
        sequences.context.restore(1, snapshot)
    assert_close(sequences.feed(0, len(OTHER), MORE), expected, ROUNDING)


@LAYOUTS
def test_a_copy_can_be_cut_and_goes_on_otherwise(make: Make, plain_model: Model, kv_unified: bool) -> None:
    sequences = make(plain_model, kv_unified=kv_unified)
    fresh = sequences.fresh(2, TEXT[:40] + MORE)
    sequences.fresh(0, TEXT)
    sequences.context.restore(1, sequences.context.snapshot(0))
    for sequence in (0, 1):
        assert sequences.context.keep_prefix(sequence, 40)
    copied = sequences.feed(1, 40, MORE)
    assert_close(copied, sequences.feed(0, 40, MORE), ROUNDING)
    assert_close(copied, fresh, ROUNDING)


@LAYOUTS
def test_a_copy_that_cannot_be_cut_is_emptied_instead(make: Make, untruncatable_model: Model, kv_unified: bool) -> None:
    sequences = make(untruncatable_model, kv_unified=kv_unified)
    sequences.fresh(0, TEXT)
    sequences.context.restore(1, sequences.context.snapshot(0))
    assert sequences.context.keep_prefix(1, len(TEXT))
    assert not sequences.is_empty(1)
    assert not sequences.context.keep_prefix(1, len(TEXT) - 1)
    assert sequences.is_empty(1)


@LAYOUTS
def test_a_snapshot_of_nothing_empties_a_sequence(make: Make, model: Model, kv_unified: bool) -> None:
    sequences = make(model, kv_unified=kv_unified)
    sequences.fresh(0, TEXT)
    sequences.context.restore(0, sequences.context.snapshot(1))
    assert sequences.is_empty(0)


@LAYOUTS
def test_the_size_of_a_snapshot_is_known_before(make: Make, model: Model, kv_unified: bool) -> None:
    sequences = make(model, kv_unified=kv_unified)
    sequences.fresh(1, TEXT)
    assert sequences.context.snapshot(1).nbytes == sequences.context.snapshot_bytes(1)


def test_a_snapshot_has_of_a_window_only_what_it_still_reaches(make: Make, load: Load) -> None:
    sequences = make(load("window"))
    sequences.fresh(0, some_tokens(200))
    sequences.fresh(1, some_tokens(200 + WINDOW))
    grown = sequences.context.snapshot_bytes(1) - sequences.context.snapshot_bytes(0)
    bytes_per_cell = 2 * 2 * HEAD_SIZE  # of F16 keys and values
    assert grown == pytest.approx(2 * WINDOW * bytes_per_cell, rel=0.1), "two of the four layers grow"


def test_a_pool_without_room_for_a_snapshot_refuses_it(make: Make, plain_model: Model) -> None:
    sequences = make(plain_model, kv_unified=True, n_ctx=256)
    sequences.fresh(0, OTHER)
    with pytest.raises(SnapshotError, match="available cells"):
        sequences.context.restore(1, sequences.context.snapshot(0))
    assert sequences.is_empty(1)
    assert not sequences.is_empty(0)


def truncated(n_bytes: int) -> Callable[[Snapshot], Snapshot]:
    return lambda snapshot: snapshot[:n_bytes].copy()


def with_other_magic(snapshot: Snapshot) -> Snapshot:
    changed = snapshot.copy()
    changed[0] ^= 1
    return changed


@LAYOUTS
@pytest.mark.parametrize(
    "damage",
    [*map(truncated, [0, 8, 30, 500, -1]), with_other_magic, lambda s: np.append(s, np.uint8(0))],
    ids=["no bytes", "no cells", "cut in cells", "cut in rows", "cut at the end", "other magic", "longer"],
)
def test_a_damaged_snapshot_is_refused_and_nothing_of_it_stays(
    make: Make, model: Model, kv_unified: bool, damage: Callable[[Snapshot], Snapshot]
) -> None:
    sequences = make(model, kv_unified=kv_unified)
    expected = sequences.fresh(0, OTHER + MORE)
    sequences.fresh(0, OTHER)
    sequences.fresh(1, TEXT)
    with pytest.raises(SnapshotError):
        sequences.context.restore(1, damage(sequences.context.snapshot(1)))
    assert sequences.is_empty(1)
    assert_close(sequences.feed(0, len(OTHER), MORE), expected, ROUNDING)
    assert_close(sequences.fresh(1, OTHER + MORE), expected, ROUNDING)


@pytest.mark.parametrize(("source", "target"), list(permutations(KINDS, 2)))
def test_a_snapshot_of_another_model_is_refused(make: Make, load: Load, source: str, target: str) -> None:
    taken_from, sequences = make(load(source)), make(load(target))
    taken_from.fresh(0, TEXT)
    sequences.fresh(0, OTHER)
    with pytest.raises(SnapshotError):
        sequences.context.restore(0, taken_from.context.snapshot(0))
    assert sequences.is_empty(0)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"kv_unified": True}, "n_stream"),
        ({"n_parallel": 2}, "n_stream"),
        ({"cache_type_k": "q8_0"}, "key type"),
        ({"cache_type_v": "f32"}, "value type"),
        ({"flash_attention": "on"}, "V transposition"),
    ],
)
def test_a_snapshot_of_another_layout_is_refused_with_the_reason(
    make: Make, plain_model: Model, options: dict[str, str], reason: str
) -> None:
    taken_from, sequences = make(plain_model, **options), make(plain_model)
    taken_from.fresh(0, TEXT)
    with pytest.raises(SnapshotError, match=reason):
        sequences.context.restore(0, taken_from.context.snapshot(0))


def test_what_is_not_an_array_of_bytes_is_no_snapshot(pool: Sequences) -> None:
    for array in (np.zeros(100, np.int32), np.zeros(100, np.uint8)[::2]):
        with pytest.raises(ValueError, match="contiguous array of bytes"):
            pool.context.restore(0, array)  # type: ignore[arg-type]
