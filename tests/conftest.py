"""A real server on the bundled model, for whoever wants to ask one over HTTP, and how hypothesis draws its examples."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.server.program import PROGRAM, running

# The same examples in every run, however long one takes: a test that passes fails only after a change.
SLOW = [HealthCheck.too_slow]
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None, suppress_health_check=SLOW)
settings.register_profile("random", deadline=None, suppress_health_check=SLOW)
settings.load_profile("repeatable")


LONG = ("fine_tun", "/ui/")
"""Parts of the paths of files whose tests take longest."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Moves long files to the front."""
    items.sort(key=lambda item: not any(part in str(item.path) for part in LONG))


@contextmanager
def running_server(folder: Path, *flags: str) -> Iterator[str]:
    """Runs the program with `flags`, and no flags from variables, on a free port, with its log in `folder`; gives its
    URL once the model is loaded."""
    # One thread is enough for a small model; several would wait for each other whenever the machine is busy otherwise.
    # With a seed, whoever asks for none gets the same text in every run, which never ends early by chance.
    with running(folder, *PROGRAM, "--threads", "1", "--seed", "1", *flags) as program:
        yield program.ready_url()


@pytest.fixture(scope="session")
def endless_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server with four slots whose texts have no end: a test that looks at one is never too late."""
    flags = ("--alias", "bundled", "--no-mmproj", "--context-shift")
    with running_server(tmp_path_factory.mktemp("endless"), *flags) as url:
        yield url


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server with four slots and the defaults of the llama-like API."""
    with running_server(tmp_path_factory.mktemp("server"), "--alias", "bundled", "--no-mmproj") as url:
        yield url
