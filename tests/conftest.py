"""A real server on the bundled model, for whoever wants to ask one over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server.program import PROGRAM, running


@contextmanager
def running_server(folder: Path, *flags: str) -> Iterator[str]:
    """Runs the program with `flags`, and no flags from variables, on a free port, with its log in `folder`; gives its
    URL once the model is loaded."""
    # One thread is enough for a small model; several would wait for each other whenever the machine is busy otherwise.
    with running(folder, *PROGRAM, "--threads", "1", *flags) as program:
        yield program.ready_url()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server with four slots and the defaults of the llama-like API."""
    with running_server(tmp_path_factory.mktemp("server"), "--alias", "bundled", "--no-mmproj") as url:
        yield url
