"""ClientProcess: programs of a client whose packages clash with those of the tests, run in its own environment.

`make test` installs the environments from `tests/clients/requirements/`.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.clients import interpreter_loop

SECONDS = 280


class ClientError(Exception):
    """What a program raised."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        """The name of its class."""
        self.message = message


class ClientProcess:
    """An interpreter that stays, since clients take seconds to import. Each program has variables of its own, but what
    it changes in modules stays changed."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run(self, code: str, **environ: str) -> str:
        """Returns what a program prints; `environ` holds environment variables for it. Raises ClientError."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin and stdout
        timer = threading.Timer(SECONDS, self._process.kill)
        timer.start()
        try:
            stdin.write(json.dumps({"code": code, "environ": environ}) + "\n")
            stdin.flush()
            line = stdout.readline()
        finally:
            timer.cancel()
        assert line, f"the client ended, or took more than {SECONDS} seconds"
        result = json.loads(line)
        if result["error"]:
            raise ClientError(**result["error"])
        printed: str = result["printed"]
        return printed


@contextmanager
def client_process(name: str, folder: Path, **environ: str) -> Iterator[ClientProcess]:
    """Runs an interpreter in the environment `name`, with `folder` as its working directory."""
    python = Path(sys.prefix) / "clients" / name / "bin" / "python"
    assert python.exists(), f"the client {name} is not installed: `make test` does it"
    # What is installed for the tests themselves, and their variables, are not the client's.
    inherited = {key: text for key, text in os.environ.items() if not key.startswith(("PYTHON", "LLAMA_"))}
    command = [str(python), "-u", interpreter_loop.__file__]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=inherited | environ,
    ) as process:
        try:
            yield ClientProcess(process)
        finally:
            process.kill()
