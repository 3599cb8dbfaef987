"""Servers on models that only embed or rank."""

from collections.abc import Iterator

import pytest
from gguf import PoolingType

from tests.conftest import running_server
from tests.slots.embedding.embedding_models import write_encoder


@pytest.fixture(scope="package")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server on a model of the BERT kind."""
    folder = tmp_path_factory.mktemp("encoder")
    with running_server(folder, "-m", str(write_encoder(folder / "tiny.gguf")), "--alias", "encoder") as url:
        yield url


@pytest.fixture(scope="package")
def ranker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server on a model that ranks, as its header says."""
    folder = tmp_path_factory.mktemp("ranker")
    model = write_encoder(folder / "tiny.gguf", PoolingType.RANK, ranks=True)
    with running_server(folder, "-m", str(model), "--alias", "ranker") as url:
        yield url
