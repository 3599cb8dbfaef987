"""What can be done with the sequences of a context besides decoding, for every kind of memory that models have."""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from models.source import BUNDLED_MODEL
from slots.errors import CannotGenerate, ModelLoadError, SnapshotError
from slots.llama import DecodeError, Model, Snapshot
from slots.options import CacheType, ModelOptions
from tests.slots.llama.odd_models import (
    HEAD_SIZE,
    WINDOW,
    write_hybrid,
    write_learned_positions,
    write_mamba,
    write_one_layer,
    write_sliding_window,
)
from tests.slots.llama.sequences import Sequences, some_tokens

KINDS: dict[str, Callable[[Path], Path]] = {
    "plain": lambda _path: BUNDLED_MODEL,
    "recurrent": write_mamba,
    "window": write_sliding_window,
    "hybrid": write_hybrid,
}
UNCUTTABLE = ["recurrent", "window", "hybrid"]
LAYOUTS = pytest.mark.parametrize("kv_unified", [False, True], ids=["streams", "pool"])

ROUNDING = 0.01
"""Between logits from the same tokens in batches or cells of another shape or order; without flash attention, whose
sums of F16 numbers are coarser. Behind another token, logits of these models differ by 1 and more."""

TEXT = some_tokens(100)
MORE = some_tokens(5, seed=1)
OTHER = some_tokens(150, seed=2)

Load = Callable[[str], Model]
Make = Callable[..., Sequences]


@pytest.fixture(scope="session")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    """Loads a model of a kind, once."""
    folder = tmp_path_factory.mktemp("models")

    @cache
    def load(kind: str) -> Model:
        return Model(ModelOptions(KINDS[kind](folder / f"{kind}.gguf")), lambda _share: None)

    return load


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest, load: Load) -> Model:
    return load(request.param)


@pytest.fixture(params=UNCUTTABLE)
def uncuttable_model(request: pytest.FixtureRequest, load: Load) -> Model:
    return load(request.param)


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes contexts for the time of a test."""
    made: list[Sequences] = []

    def make(model: Model, **options: Any) -> Sequences:
        made.append(Sequences(model, **options))
        return made[-1]

    yield make
    for sequences in made:
        sequences.context.close()


@pytest.fixture
def pool(make: Make, bundled_model: Model) -> Sequences:
    return make(bundled_model, kv_unified=True)


def one_layer_model(path: Path, head_size: int = 64, rope_scaling: str | None = None) -> Model:
    return Model(ModelOptions(write_one_layer(path, head_size, rope_scaling)), lambda _share: None)


def assert_close(one: np.ndarray, other: np.ndarray, tolerance: float) -> None:
    np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


# What there is


@pytest.mark.parametrize(
    ("kind", "options", "abilities"),
    [
        ("plain", {}, {"cut", "shift"}),
        ("plain", {"kv_unified": True}, {"cut", "share", "shift"}),
        ("recurrent", {"kv_unified": True}, {"share"}),
        ("hybrid", {"kv_unified": True}, {"share"}),
        ("window", {"kv_unified": True}, set()),
        ("window", {"kv_unified": True, "swa_full": True}, {"share"}),
    ],
)
def test_what_a_memory_can_do_depends_on_the_model_and_the_layout(
    make: Make, load: Load, kind: str, options: dict[str, bool], abilities: set[str]
) -> None:
    context = make(load(kind), **options).context
    can = {"cut": context.can_truncate, "share": context.can_share, "shift": context.can_shift}
    assert {name for name, is_possible in can.items() if is_possible} == abilities


# Snapshots


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
def test_a_copy_can_be_cut_and_goes_on_otherwise(make: Make, bundled_model: Model, kv_unified: bool) -> None:
    sequences = make(bundled_model, kv_unified=kv_unified)
    fresh = sequences.fresh(2, TEXT[:40] + MORE)
    sequences.fresh(0, TEXT)
    sequences.context.restore(1, sequences.context.snapshot(0))
    for sequence in (0, 1):
        assert sequences.context.keep_prefix(sequence, 40)
    copied = sequences.feed(1, 40, MORE)
    assert_close(copied, sequences.feed(0, 40, MORE), ROUNDING)
    assert_close(copied, fresh, ROUNDING)


@LAYOUTS
def test_a_copy_that_cannot_be_cut_is_emptied_instead(make: Make, uncuttable_model: Model, kv_unified: bool) -> None:
    sequences = make(uncuttable_model, kv_unified=kv_unified)
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


def test_a_pool_without_room_for_a_snapshot_refuses_it(make: Make, bundled_model: Model) -> None:
    sequences = make(bundled_model, kv_unified=True, n_ctx=256)
    sequences.fresh(0, OTHER)
    with pytest.raises(SnapshotError, match="available cells"):
        sequences.context.restore(1, sequences.context.snapshot(0))
    assert sequences.is_empty(1)
    assert not sequences.is_empty(0)


# Snapshots that cannot be restored


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
    make: Make, bundled_model: Model, options: dict[str, str], reason: str
) -> None:
    taken_from, sequences = make(bundled_model, **options), make(bundled_model)
    taken_from.fresh(0, TEXT)
    with pytest.raises(SnapshotError, match=reason):
        sequences.context.restore(0, taken_from.context.snapshot(0))


def test_what_is_not_an_array_of_bytes_is_no_snapshot(pool: Sequences) -> None:
    for array in (np.zeros(100, np.int32), np.zeros(100, np.uint8)[::2]):
        with pytest.raises(ValueError, match="contiguous array of bytes"):
            pool.context.restore(0, array)  # type: ignore[arg-type]


# Sharing


def test_a_shared_prefix_goes_on_as_if_it_had_been_computed(pool: Sequences) -> None:
    fresh = pool.fresh(2, TEXT[:40] + MORE)
    pool.fresh(0, TEXT)
    pool.fresh(1, OTHER)
    pool.context.share_prefix(0, 1, 40)
    assert_close(pool.feed(1, 40, MORE), fresh, ROUNDING)


def test_a_shared_prefix_takes_no_cells(make: Make, bundled_model: Model) -> None:
    sequences = make(bundled_model, kv_unified=True, n_ctx=256)
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


# Removing tokens


@LAYOUTS
@pytest.mark.parametrize(
    ("cache_type_k", "tolerance"), [("f32", 0.001), ("f16", 0.01), ("q8_0", 0.1)], ids=["f32", "f16", "q8_0"]
)
def test_keys_that_move_are_rotated_to_where_they_go(
    make: Make, tmp_path: Path, kv_unified: bool, cache_type_k: CacheType, tolerance: float
) -> None:
    model = one_layer_model(tmp_path / "model.gguf")
    sequences = make(model, kv_unified=kv_unified, cache_type_k=cache_type_k)
    kept = TEXT[:10] + TEXT[30:60] + TEXT[75:]
    expected = sequences.fresh(1, kept + MORE)
    sequences.fresh(0, TEXT)
    sequences.context.remove_range(0, 10, 30)
    sequences.context.remove_range(0, 40, 55)
    moved = sequences.feed(0, len(kept), MORE)
    assert_close(moved, expected, tolerance)
    assert np.abs(moved - sequences.fresh(1, TEXT + MORE)).max() > 2 * tolerance


@LAYOUTS
def test_a_removal_leaves_other_sequences_as_they_are(make: Make, bundled_model: Model, kv_unified: bool) -> None:
    sequences = make(bundled_model, kv_unified=kv_unified)
    sequences.fresh(1, OTHER)
    expected = sequences.feed(1, len(OTHER), MORE)
    sequences.context.keep_prefix(1, len(OTHER))
    sequences.fresh(0, TEXT)
    sequences.context.remove_range(0, 10, 30)
    assert_close(sequences.feed(1, len(OTHER), MORE), expected, ROUNDING)


def test_a_sequence_goes_on_behind_the_tokens_that_moved(pool: Sequences) -> None:
    pool.fresh(0, TEXT)
    pool.context.remove_range(0, 10, 30)
    with pytest.raises(DecodeError):
        pool.feed(0, len(TEXT), MORE)
    assert np.isfinite(pool.feed(0, len(TEXT) - 20, MORE)).all()


def test_removing_the_end_is_cutting(pool: Sequences) -> None:
    for sequence in (0, 1):
        pool.fresh(sequence, TEXT)
    pool.context.remove_range(0, 40, len(TEXT))
    pool.context.keep_prefix(1, 40)
    assert_close(pool.feed(0, 40, MORE), pool.feed(1, 40, MORE), ROUNDING)


def test_shared_cells_in_front_of_what_moves_stay_shared(pool: Sequences) -> None:
    expected = pool.fresh(1, TEXT[:40] + MORE)
    pool.fresh(0, TEXT)
    pool.context.share_prefix(0, 1, 40)
    pool.context.remove_range(0, 40, 60)
    assert_close(pool.feed(1, 40, MORE), expected, ROUNDING)


def test_tokens_that_are_not_rotated_yet_have_no_snapshot(pool: Sequences) -> None:
    pool.fresh(0, TEXT)
    pool.context.remove_range(0, 10, 30)
    with pytest.raises(SnapshotError, match="before the next step"):
        pool.context.snapshot(0)


@LAYOUTS
def test_moved_tokens_have_a_snapshot_after_any_step(make: Make, bundled_model: Model, kv_unified: bool) -> None:
    sequences = make(bundled_model, kv_unified=kv_unified)
    sequences.fresh(0, TEXT)
    sequences.context.remove_range(0, 10, 30)
    sequences.feed(1, 0, MORE)
    sequences.context.restore(2, sequences.context.snapshot(0))
    assert_close(sequences.feed(2, 80, MORE), sequences.feed(0, 80, MORE), ROUNDING)


def test_what_shares_tokens_that_are_not_rotated_yet_has_no_snapshot_either(pool: Sequences) -> None:
    pool.fresh(0, TEXT)
    pool.context.remove_range(0, 10, 30)
    pool.context.share_prefix(0, 1, 50)
    with pytest.raises(SnapshotError, match="before the next step"):
        pool.context.snapshot(1)


def test_a_sequence_that_was_replaced_before_its_tokens_were_rotated_has_a_snapshot(pool: Sequences) -> None:
    pool.fresh(1, TEXT)
    pool.fresh(0, TEXT)
    pool.context.remove_range(0, 10, 30)
    pool.context.restore(0, pool.context.snapshot(1))
    pool.context.restore(2, pool.context.snapshot(0))
    assert_close(pool.feed(2, len(TEXT), MORE), pool.feed(1, len(TEXT), MORE), ROUNDING)


@pytest.mark.parametrize(("start", "end"), [(-1, 10), (10, 10), (20, 10), (90, 101), (200, 210)])
def test_a_range_that_a_sequence_does_not_have_is_refused(pool: Sequences, start: int, end: int) -> None:
    pool.fresh(0, TEXT)
    with pytest.raises(ValueError, match="no range"):
        pool.context.remove_range(0, start, end)


def test_nothing_is_moved_in_what_cannot_be_cut(make: Make, uncuttable_model: Model) -> None:
    sequences = make(uncuttable_model)
    sequences.fresh(0, TEXT)
    with pytest.raises(ValueError, match="cannot be moved"):
        sequences.context.remove_range(0, 10, 20)


@pytest.mark.parametrize(
    "options",
    [
        {"cache_type_k": "bf16"},
        {"rope_scaling": "yarn", "rope_freq_scale": 0.5},
        {"yarn_ext_factor": 1.0},
        {"yarn_attn_factor": 1.2},
    ],
)
def test_keys_that_llama_cpp_would_spoil_or_not_survive_are_not_moved(
    make: Make, bundled_model: Model, options: dict[str, str | float]
) -> None:
    assert not make(bundled_model, **options).context.can_shift


def test_quantized_keys_are_not_moved_in_heads_of_a_size_without_hadamard_matrix(make: Make, tmp_path: Path) -> None:
    model = one_layer_model(tmp_path / "model.gguf", head_size=32)
    assert make(model).context.can_shift
    assert not make(model, cache_type_k="q8_0").context.can_shift


def test_keys_are_not_moved_in_a_model_that_was_trained_with_yarn(make: Make, tmp_path: Path) -> None:
    model = one_layer_model(tmp_path / "model.gguf", rope_scaling="yarn")
    assert not make(model).context.can_shift
    assert make(model, rope_scaling="none").context.can_shift


def test_keys_that_have_their_position_from_a_table_are_not_moved(make: Make, tmp_path: Path) -> None:
    path = write_learned_positions(tmp_path / "model.gguf", n_ctx_train=512)
    assert not make(Model(ModelOptions(path), lambda _share: None)).context.can_shift


# Windows


@pytest.mark.parametrize("swa_full", [False, True])
def test_a_sequence_with_a_window_can_be_cut_only_if_all_of_its_cells_were_kept(
    make: Make, load: Load, swa_full: bool
) -> None:
    sequences = make(load("window"), n_ctx=3 * 1024, swa_full=swa_full)
    expected = sequences.fresh(1, TEXT[:40] + MORE)
    sequences.fresh(0, TEXT + some_tokens(600))
    assert sequences.context.keep_prefix(0, 40) is swa_full
    if swa_full:
        assert_close(sequences.feed(0, 40, MORE), expected, ROUNDING)


@pytest.mark.parametrize(
    ("is_diffusion", "error"), [(False, CannotGenerate("as a whole")), (True, ModelLoadError("diffusion model"))]
)
def test_a_model_that_remembers_nothing_generates_nothing(
    bundled_model: Model, is_diffusion: bool, error: ModelLoadError
) -> None:
    with (
        patch("llama_cpp.llama_cpp.llama_get_memory", return_value=None),
        patch("llama_cpp.llama_cpp.llama_model_is_diffusion", return_value=is_diffusion),
        pytest.raises(type(error), match=str(error)),
    ):
        Sequences(bundled_model)


def test_a_window_in_a_pool_is_computed_an_ubatch_at_a_time(load: Load) -> None:
    """More would give wrong logits, if seldom: see `one_ubatch_at_a_time`."""

    def sizes(kind: str, **options: Any) -> tuple[int, int]:
        context = Sequences(load(kind), n_batch=128, n_ubatch=32, **options).context
        return context.n_batch, context.n_ubatch

    assert sizes("window", kv_unified=True) == (32, 32)
    assert sizes("window", kv_unified=True, swa_full=True) == (128, 32)
    assert sizes("window", kv_unified=False) == (128, 32)
    assert sizes("plain", kv_unified=True) == (128, 32)
