from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.prefix.float32_copy import write_float32_copy
from models.source import BUNDLED_MODEL
from slots.llama import Model
from slots.options import ModelOptions
from tests.slots.engine_runner import EngineRunner, MakeRunner, engine_maker


@pytest.fixture
def make_runner() -> Iterator[MakeRunner]:
    """Starts engines with one thread and without flash attention, which rounds sums by the positions of the cells."""
    with engine_maker(n_threads=1, flash_attention="off") as make:
        yield make


@pytest.fixture(scope="session")
def float_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model in 32-bit floats: the shape of a batch hardly changes its logits."""
    copy = tmp_path_factory.mktemp("model") / "float.gguf"
    write_float32_copy(BUNDLED_MODEL, copy)
    return copy


@pytest.fixture(scope="session")
def runner() -> Iterator[EngineRunner]:
    """An engine with the default options."""
    with engine_maker(n_threads=1) as make:
        yield make()


@pytest.fixture(scope="session")
def bundled_model() -> Model:
    """The bundled model, without a context."""
    return Model(ModelOptions(BUNDLED_MODEL), lambda _share: None)
