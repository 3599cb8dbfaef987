from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.prefix.float32_copy import write_float32_copy
from models.source import BUNDLED_MODEL
from slots.llama import Model
from slots.options import ContextOptions, EngineOptions, ModelOptions
from tests.slots.engine_runner import EngineRunner, MakeRunner, load_engine


@pytest.fixture
def make_runner() -> Iterator[MakeRunner]:
    """Starts engines with context options of the test's choice.

    Without flash attention: with it, the places of tokens in the KV cache have a part in how sums are rounded.
    """
    runners: list[EngineRunner] = []

    def make(options: EngineOptions | None = None, **context: Any) -> EngineRunner:
        chosen = ContextOptions(**{"n_threads": 1, "flash_attention": "off", **context})
        runners.append(EngineRunner(load_engine(chosen, options)))
        return runners[-1]

    yield make
    for runner in runners:
        runner.close()


@pytest.fixture(scope="session")
def float_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model in 32-bit floats: what the shape of a batch does to its logits is next to nothing."""
    copy = tmp_path_factory.mktemp("model") / "float.gguf"
    write_float32_copy(BUNDLED_MODEL, copy)
    return copy


@pytest.fixture(scope="session")
def runner() -> Iterator[EngineRunner]:
    """An engine with the default options."""
    runner = EngineRunner(load_engine(ContextOptions(n_threads=1)))
    yield runner
    runner.close()


@pytest.fixture(scope="session")
def bundled_model() -> Model:
    """The bundled model, without a context."""
    return Model(ModelOptions(BUNDLED_MODEL), lambda _share: None)
