from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gguf import PoolingType

from models.source import BUNDLED_MODEL
from slots.options import ContextOptions, EngineOptions
from tests.slots.embedding.embedding_models import write_encoder
from tests.slots.embedding.texts import MakeEngine
from tests.slots.engine_runner import EngineRunner, load_engine
from tests.slots.llama.tiny_models import write_one_layer


@pytest.fixture
def make() -> Iterator[MakeEngine]:
    """Starts engines on the model at a path, without flash attention, which rounds by the shape of a batch."""
    runners: list[EngineRunner] = []

    def make(path: Path = BUNDLED_MODEL, options: EngineOptions | None = None, **context: Any) -> EngineRunner:
        chosen = ContextOptions(**{"n_threads": 1, "flash_attention": "off", **context})
        runners.append(EngineRunner(load_engine(chosen, options, path)))
        return runners[-1]

    yield make
    for runner in runners:
        runner.close()


@pytest.fixture(scope="session")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_one_layer(tmp_path_factory.mktemp("models") / "decoder.gguf")


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("models") / "encoder.gguf")


@pytest.fixture(scope="session")
def ranker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("models") / "ranker.gguf", PoolingType.RANK, ranks=True)
