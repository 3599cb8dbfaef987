from collections.abc import Iterator

import pytest

from slots.options import ContextOptions
from tests.slots.engine_runner import EngineRunner, load_engine


@pytest.fixture(scope="package")
def runner() -> Iterator[EngineRunner]:
    """An engine on the bundled model with the default options."""
    runner = EngineRunner(load_engine(ContextOptions(n_threads=1)))
    yield runner
    runner.close()
