"""What the memory of a context can do, for every kind of memory that models have."""

from typing import Any
from unittest.mock import patch

import pytest

from slots.errors import CannotGenerate, ModelLoadError
from slots.llama import Model
from tests.slots.llama.sequences import LAYOUTS, MORE, ROUNDING, TEXT, Load, Make, Sequences, assert_close, some_tokens


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
    plain_model: Model, is_diffusion: bool, error: ModelLoadError
) -> None:
    with (
        patch("llama_cpp.llama_cpp.llama_get_memory", return_value=None),
        patch("llama_cpp.llama_cpp.llama_model_is_diffusion", return_value=is_diffusion),
        pytest.raises(type(error), match=str(error)),
    ):
        Sequences(plain_model)


def test_a_window_in_a_pool_is_computed_an_ubatch_at_a_time(load: Load) -> None:
    """More would give wrong logits, if seldom: see `one_ubatch_at_a_time`."""

    def sizes(kind: str, **options: Any) -> tuple[int, int]:
        context = Sequences(load(kind), n_batch=128, n_ubatch=32, **options).context
        return context.n_batch, context.n_ubatch

    assert sizes("window", kv_unified=True) == (32, 32)
    assert sizes("window", kv_unified=True, swa_full=True) == (128, 32)
    assert sizes("window", kv_unified=False) == (128, 32)
    assert sizes("plain", kv_unified=True) == (128, 32)


@LAYOUTS
@pytest.mark.parametrize("n_back", [1, 5, 60])
def test_a_sequence_with_a_window_can_go_back_by_a_batch(make: Make, load: Load, kv_unified: bool, n_back: int) -> None:
    sequences = make(load("window"), kv_unified=kv_unified)
    text = TEXT + some_tokens(300)
    expected = sequences.fresh(1, text + MORE)
    sequences.fresh(0, text)
    for _ in range(20):
        sequences.feed(0, len(text), some_tokens(n_back))
        assert sequences.context.keep_prefix(0, len(text))
    assert_close(sequences.feed(0, len(text), MORE), expected, ROUNDING)
