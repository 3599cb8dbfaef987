from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from slots.llama import Model
from slots.options import ModelOptions
from tests.slots.llama.sequences import KINDS, Load, Make, Sequences
from tests.slots.llama.tiny_models import write_hybrid, write_mamba, write_sliding_window

_WRITERS: dict[str, Callable[[Path], Path]] = {
    "recurrent": write_mamba,
    "window": write_sliding_window,
    "hybrid": write_hybrid,
}


@pytest.fixture(scope="session")
def load(tmp_path_factory: pytest.TempPathFactory, float_model: Path) -> Load:
    """Loads the model of a kind of memory, once."""
    folder = tmp_path_factory.mktemp("models")

    @cache
    def load(kind: str) -> Model:
        path = float_model if kind == "plain" else _WRITERS[kind](folder / f"{kind}.gguf")
        return Model(ModelOptions(path), lambda _share: None)

    return load


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest, load: Load) -> Model:
    return load(request.param)


@pytest.fixture
def plain_model(load: Load) -> Model:
    """The bundled model with weights that are not quantized."""
    return load("plain")


@pytest.fixture(params=_WRITERS)
def untruncatable_model(request: pytest.FixtureRequest, load: Load) -> Model:
    """A model whose sequences cannot be cut back to any position."""
    return load(request.param)


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes contexts for the time of a test."""
    contexts: list[Sequences] = []

    def make(model: Model, **options: Any) -> Sequences:
        contexts.append(Sequences(model, **options))
        return contexts[-1]

    yield make
    for sequences in contexts:
        sequences.context.close()


@pytest.fixture
def pool(make: Make, plain_model: Model) -> Sequences:
    return make(plain_model, kv_unified=True)
