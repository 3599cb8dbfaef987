"""Servers in processes of their own, as they are started by hand."""

import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import requests

_START_TIMEOUT = 300


def find_free_port() -> int:
    """Returns a port of this machine that no program listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ServerProcess:
    """A server on a free port of this machine; as a context manager it is stopped at the end."""

    def __init__(self, command: Sequence[str], log: Path = Path(os.devnull), poll_seconds: float = 0.1) -> None:
        """The port replaces `{port}` in the command, or is appended as `--port`; the server's output goes to the log.
        Waits until the server is ready, which it asks every `poll_seconds`; raises RuntimeError if the program ends
        before, TimeoutError if it takes too long."""
        port = str(find_free_port())
        self.url = f"http://127.0.0.1:{port}"
        with_port = [part.replace("{port}", port) for part in command]
        self._command = with_port if with_port != list(command) else [*command, "--port", port]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LLAMA_ARG_")}
        self._poll_seconds = poll_seconds
        with log.open("wb") as output:
            self.started = time.monotonic()
            """When the command was run."""
            self._process = subprocess.Popen(self._command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        self.pid = self._process.pid
        self._wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops the server and waits for its end."""
        self._process.terminate()
        self._process.wait()

    def _wait(self) -> None:
        while time.monotonic() < self.started + _START_TIMEOUT:
            if self._process.poll() is not None:
                raise RuntimeError(f"the server did not start; to see why: {shlex.join(self._command)}")
            try:
                if _is_ready(self.url):
                    return
            except requests.RequestException:
                pass
            time.sleep(self._poll_seconds)
        self.close()
        raise TimeoutError(f"the server did not start within {_START_TIMEOUT} seconds")


def _is_ready(url: str) -> bool:
    health = requests.get(f"{url}/health", timeout=1)
    return (requests.get(f"{url}/v1/models", timeout=1) if health.status_code == 404 else health).ok


def start_our_server(*flags: str, log: Path = Path(os.devnull)) -> ServerProcess:
    """Starts our own server with these flags."""
    return ServerProcess([sys.executable, "-m", "server", *flags], log)
