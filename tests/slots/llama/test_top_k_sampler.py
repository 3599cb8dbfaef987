"""What llama.cpp hands out of sequences with a top-k, beside others without one."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as lib
import numpy as np
import pytest

from benchmarks.sampling.synthetic_model import write_model
from slots.errors import ModelLoadError
from slots.llama import Batch, Context, Model, TopTokens
from slots.llama.top_k_sampler import TOP_K
from slots.options import ContextOptions, ModelOptions
from tests.slots.llama.tiny_models import write_hybrid

N_SLOTS = 4
MakeContext = Callable[..., Context]


@pytest.fixture
def make(bundled_model: Model) -> Iterator[MakeContext]:
    """Makes contexts with the same options but for those given."""
    contexts: list[Context] = []

    def make(model: Model = bundled_model, **options: Any) -> Context:
        sizes = {"n_ctx": 1024, "n_parallel": N_SLOTS, "n_threads": 1, "n_ubatch": 64, "flash_attention": "off"}
        contexts.append(Context(model, ContextOptions(**{**sizes, **options})))
        return contexts[-1]

    yield make
    for context in contexts:
        context.close()


def make_batch(*sequences: int, position: int = 0, n_tokens: int = 3) -> Batch:
    batch = Batch(256)
    for sequence in sequences:
        tokens = [50 * sequence + 3 * position + place for place in range(n_tokens)]
        batch.add(sequence, position, tokens, last_logits=True)
    return batch


def get_top_tokens(context: Context) -> TopTokens:
    assert context.top_tokens is not None
    return context.top_tokens


def assert_largest(top: TopTokens, rows: np.ndarray[Any, Any]) -> None:
    """The tokens are different, have the logits of the rows, and no other token has a larger one."""
    for place, tokens, logits in zip(top.outputs, top.tokens, top.logits, strict=True):
        assert len(set(tokens.tolist())) == TOP_K
        np.testing.assert_array_equal(logits, rows[place][tokens])
        np.testing.assert_array_equal(np.sort(logits), np.sort(rows[place])[-TOP_K:])


@pytest.mark.parametrize("kv_unified", [False, True])
def test_they_are_the_largest_logits_of_the_rows(make: MakeContext, kv_unified: bool) -> None:
    plain, context = make(kv_unified=kv_unified), make(kv_unified=kv_unified, backend_sampling=True)
    for position, sequences in ((0, (0, 1, 2, 3)), (3, (3, 0)), (6, (0,)), (9, (0,))):
        batch = make_batch(*sequences, position=position)
        rows = plain.decode(batch)
        context.decode(batch)
        assert get_top_tokens(context).outputs.tolist() == list(range(len(sequences)))
        assert_largest(get_top_tokens(context), rows)


def test_they_are_so_when_a_batch_is_computed_in_several_passes(make: MakeContext) -> None:
    plain, context = make(n_ubatch=16), make(n_ubatch=16, backend_sampling=True)
    batch = make_batch(2, 0, 3, 1, n_tokens=30)
    rows = plain.decode(batch)
    context.set_top_k(3, wanted=False)
    logits = context.decode(batch)
    assert get_top_tokens(context).outputs.tolist() == [0, 1, 3]
    assert_largest(get_top_tokens(context), rows)
    np.testing.assert_array_equal(logits[2], rows[2])


def test_a_model_with_a_state_hands_them_out_too(make: MakeContext, tmp_path: Path) -> None:
    model = Model(ModelOptions(write_hybrid(tmp_path / "hybrid.gguf")), lambda _share: None)
    plain, context = make(model), make(model, backend_sampling=True)
    for position in (0, 5):
        batch = make_batch(3, 1, 0, position=position, n_tokens=5)
        rows = plain.decode(batch)
        context.decode(batch)
        assert_largest(get_top_tokens(context), rows)


def test_a_sequence_may_lose_its_top_k_and_get_it_back_beside_others(make: MakeContext) -> None:
    plain, context = make(), make(backend_sampling=True)
    random = np.random.default_rng(0)
    for step in range(12):
        wanted = random.random(N_SLOTS) < 0.5
        for sequence, is_wanted in enumerate(wanted.tolist()):
            context.set_top_k(sequence, wanted=is_wanted)
        batch = make_batch(*range(N_SLOTS), position=3 * step)
        rows = plain.decode(batch)
        logits = context.decode(batch)
        np.testing.assert_array_equal(logits[~wanted], rows[~wanted])
        if wanted.any():
            assert get_top_tokens(context).outputs.tolist() == wanted.nonzero()[0].tolist()
            assert_largest(get_top_tokens(context), rows)
        else:
            assert context.top_tokens is None


def test_some_of_the_outputs_can_be_picked(make: MakeContext) -> None:
    plain, context = make(), make(backend_sampling=True)
    context.set_top_k(1, wanted=False)
    batch = make_batch(0, 1, 2, 3)
    rows = plain.decode(batch)
    context.decode(batch)
    selected = get_top_tokens(context).select([0, 3])
    assert selected.outputs.tolist() == [0, 3]
    assert_largest(selected, rows)


def test_without_outputs_there_are_none(make: MakeContext) -> None:
    context = make(backend_sampling=True)
    context.decode(make_batch(0))
    batch = Batch(8)
    batch.add(1, 0, [1, 2], last_logits=False)
    context.decode(batch)
    assert context.top_tokens is None


def test_what_was_handed_out_stays_as_it_is(make: MakeContext) -> None:
    context = make(backend_sampling=True)
    context.decode(make_batch(0, 1))
    top = get_top_tokens(context)
    copy = TopTokens(top.outputs.copy(), top.tokens.copy(), top.logits.copy())
    context.decode(make_batch(0, 1, position=3))
    np.testing.assert_array_equal(top.tokens, copy.tokens)
    np.testing.assert_array_equal(top.logits, copy.logits)


def test_several_outputs_of_a_sequence_with_a_top_k_are_refused(make: MakeContext) -> None:
    context = make(backend_sampling=True)
    batch = Batch(8)
    batch.add_all_outputs(2, 0, [1, 2])
    with pytest.raises(ValueError, match="more than one output"):
        context.decode(batch)
    context.set_top_k(2, wanted=False)
    assert len(context.decode(batch)) == 2


@pytest.mark.parametrize("sequence", [-1, N_SLOTS])
def test_a_sequence_that_is_not_there_is_refused(make: MakeContext, sequence: int) -> None:
    with pytest.raises(ValueError, match="not one of the 4"):
        make(backend_sampling=True).set_top_k(sequence, wanted=False)


def test_unless_asked_for_there_are_whole_rows(make: MakeContext) -> None:
    context = make()
    context.set_top_k(0, wanted=True)
    context.decode(make_batch(0))
    assert context.n_top_tokens == 0
    assert context.top_tokens is None


def test_of_a_small_vocabulary_there_are_whole_rows(make: MakeContext, tmp_path: Path) -> None:
    write_model(tmp_path / "small.gguf", TOP_K)
    model = Model(ModelOptions(tmp_path / "small.gguf"), lambda _share: None)
    assert make(model, backend_sampling=True).n_top_tokens == 0


def test_where_the_device_cannot_find_them_there_are_whole_rows(
    make: MakeContext, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As of a GPU without the operation, which llama.cpp tells by the name of the sampler."""
    monkeypatch.setattr(lib, "llama_sampler_name", lambda _sampler: b"-top-k")
    plain, context = make(), make(backend_sampling=True)
    assert context.n_top_tokens == 0
    assert "the device cannot do it" in caplog.text
    np.testing.assert_array_equal(context.decode(make_batch(0, 2)), plain.decode(make_batch(0, 2)))


def test_a_context_that_cannot_be_made_either_way_says_why(make: MakeContext) -> None:
    with pytest.raises(ModelLoadError, match="flash_attn"):
        make(backend_sampling=True, cache_type_v="q8_0")
