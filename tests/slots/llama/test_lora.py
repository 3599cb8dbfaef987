"""LoRA adapters in llama.cpp."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.adapters.lora_file import Lora
from models.source import BUNDLED_MODEL
from slots.errors import ModelLoadError
from slots.llama import Batch, Context, Model
from slots.options import ContextOptions, ModelOptions


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("lora")
    return [Lora(seed).write(folder / f"{seed}.gguf") for seed in (1, 2)]


@pytest.fixture
def model(files: list[Path]) -> Model:
    """A model with two adapters."""
    model = Model(ModelOptions(BUNDLED_MODEL), lambda _share: None)
    for number, file in enumerate(files):
        model.adapters.load(number, file)
    return model


@pytest.fixture
def context(model: Model) -> Iterator[Context]:
    context = Context(model, ContextOptions(n_ctx=256, n_parallel=1, n_threads=1))
    yield context
    context.close()


def logits(context: Context) -> npt.NDArray[np.float32]:
    """Returns those after a short text."""
    context.clear_sequence(0)
    batch = Batch(8)
    batch.add(0, 0, [1, 2, 3], last_logits=True)
    row: npt.NDArray[np.float32] = context.decode(batch)[0].copy()
    return row


def test_adapters_change_the_logits_by_their_scales(context: Context) -> None:
    seen = []
    for scales in ((), ((0, 1.0),), ((1, 1.0),), ((0, -1.0),), ((0, 0.5), (1, 2.0)), ()):
        context.use_adapters(scales)
        seen.append(logits(context))
    for number, one in enumerate(seen[:-1]):
        assert all(np.abs(one - other).max() > 0.1 for other in seen[:number])
    assert np.array_equal(seen[0], seen[-1])


def test_opposite_scales_of_the_same_weights_cancel_out(model: Model, context: Context, files: list[Path]) -> None:
    plain = logits(context)
    model.adapters.load(2, files[0])
    context.use_adapters(((0, 1.0), (2, -1.0)))
    assert np.allclose(logits(context), plain, atol=1e-3)


def test_an_unknown_adapter_is_refused_and_changes_nothing(context: Context) -> None:
    context.use_adapters(((0, 1.0),))
    before = logits(context)
    with pytest.raises(ValueError, match="there is no adapter 7"):
        context.use_adapters(((7, 1.0),))
    assert np.array_equal(logits(context), before)


def test_an_adapter_that_is_in_use_can_be_unloaded(model: Model, context: Context) -> None:
    plain = logits(context)
    context.use_adapters(((0, 1.0),))
    logits(context)
    model.adapters.unload(0)
    assert np.array_equal(logits(context), plain)
    with pytest.raises(ValueError, match="there is no adapter 0"):
        context.use_adapters(((0, 1.0),))


def test_adapters_may_come_after_the_context(model: Model, context: Context, tmp_path: Path) -> None:
    plain = logits(context)
    for number in range(2, 6):
        model.adapters.load(number, Lora(number).write(tmp_path / f"{number}.gguf"))
    context.use_adapters(tuple((number, 0.1) for number in range(6)))
    assert np.abs(logits(context) - plain).max() > 0.1


def test_a_number_is_given_once(model: Model, files: list[Path]) -> None:
    with pytest.raises(ValueError, match="there is an adapter 0 already"):
        model.adapters.load(0, files[0])
    with pytest.raises(ValueError, match="there is no adapter 9"):
        model.adapters.unload(9)


def test_what_llama_cpp_refuses_is_an_error_with_its_reason(model: Model) -> None:
    with pytest.raises(ModelLoadError, match=r"bundled\.gguf: .*expect general.type to be 'adapter'"):
        model.adapters.load(5, BUNDLED_MODEL)


def test_a_closed_context_is_left_alone(model: Model) -> None:
    closed = Context(model, ContextOptions(n_ctx=256, n_parallel=1, n_threads=1))
    closed.use_adapters(((0, 1.0),))
    closed.close()
    model.adapters.unload(0)
