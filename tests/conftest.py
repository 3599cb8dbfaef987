"""A real server on the bundled model, for whoever wants to ask one over HTTP."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

SECONDS_TO_START = 60.0


@contextmanager
def running_server(log: Path, *flags: str) -> Iterator[str]:
    """Runs the program with `flags`, and no flags from variables, on a free port; gives its URL once the model is
    loaded."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # One thread is enough for a small model; several would wait for each other whenever the machine is busy otherwise.
    command = [sys.executable, "-m", "server", "--port", str(port), "--threads", "1", *flags]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LLAMA_ARG_")}
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output, env=environment) as process,
    ):
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_healthy(url, process, log)
            yield url
        finally:
            process.terminate()


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if requests.get(f"{url}/health", timeout=1).ok:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.05)
    pytest.fail(f"the server did not start; it said:\n{log.read_text(errors='replace')}")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server with four slots and the defaults of the llama-like API."""
    with running_server(tmp_path_factory.mktemp("server") / "log", "--alias", "bundled") as url:
        yield url
