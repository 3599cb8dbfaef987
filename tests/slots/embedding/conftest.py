from pathlib import Path

import pytest
from gguf import PoolingType

from models.source import BUNDLED_MODEL
from tests.slots.embedding.embedding_models import write_encoder
from tests.slots.embedding.texts import MakeEngine
from tests.slots.engine_runner import MakeRunner
from tests.slots.llama.tiny_models import write_one_layer


@pytest.fixture
def make(make_runner: MakeRunner) -> MakeEngine:
    """Starts engines on the model at a path."""
    return lambda path=BUNDLED_MODEL, options=None, **context: make_runner(options, path=path, **context)


@pytest.fixture(scope="session")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_one_layer(tmp_path_factory.mktemp("models") / "decoder.gguf")


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("models") / "encoder.gguf")


@pytest.fixture(scope="session")
def ranker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("models") / "ranker.gguf", PoolingType.RANK, ranks=True)
