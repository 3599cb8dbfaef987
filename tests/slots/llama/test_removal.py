"""Tokens are removed from the middle of a sequence."""

from pathlib import Path

import numpy as np
import pytest

from slots.errors import SnapshotError
from slots.llama import DecodeError, Model
from slots.options import CacheType, ModelOptions
from tests.slots.llama.sequences import LAYOUTS, MORE, OTHER, ROUNDING, TEXT, Make, Sequences, assert_close
from tests.slots.llama.tiny_models import write_learned_positions, write_one_layer


def one_layer_model(path: Path, head_size: int = 64, rope_scaling: str | None = None) -> Model:
    return Model(ModelOptions(write_one_layer(path, head_size, rope_scaling)), lambda _share: None)


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
def test_a_removal_leaves_other_sequences_as_they_are(make: Make, plain_model: Model, kv_unified: bool) -> None:
    sequences = make(plain_model, kv_unified=kv_unified)
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
def test_moved_tokens_have_a_snapshot_after_any_step(make: Make, plain_model: Model, kv_unified: bool) -> None:
    sequences = make(plain_model, kv_unified=kv_unified)
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


def test_nothing_is_moved_in_what_cannot_be_cut(make: Make, untruncatable_model: Model) -> None:
    sequences = make(untruncatable_model)
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
    make: Make, plain_model: Model, options: dict[str, str | float]
) -> None:
    assert not make(plain_model, **options).context.can_shift


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
