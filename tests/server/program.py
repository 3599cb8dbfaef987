"""Program: the server as a process, started and stopped as a user does."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SECONDS = 300


PROGRAM = ("-m", "server")

SLOW_PROGRAM = ("-c", """
import sys, time
from server.__main__ import main
from slots.engine import Engine

load = Engine.load
seconds = float(sys.argv.pop(1))
Engine.load = lambda *options: (time.sleep(seconds), load(*options))[1]
main()
""")  # fmt: skip
"""The program with a model that takes more seconds to load; their number precedes the flags."""


class Program:
    """A process of the program, on a port that it chooses itself."""

    def __init__(self, log: Path, *arguments: str) -> None:
        self._log = log
        self.started = time.monotonic()
        with log.open("wb") as output:
            command = [sys.executable, *arguments, "--port", "0"]
            self.process = subprocess.Popen(command, stdout=output, stderr=output, env=environment())

    @property
    def output(self) -> str:
        return self._log.read_text()

    def wait_for(self, words: str) -> str:
        """Returns the rest of the line that starts with `words`, after its time."""
        while time.monotonic() < self.started + SECONDS:
            if found := re.search(rf"^\d\d:\d\d:\d\d {words}(.*)\n", self.output, re.MULTILINE):
                return found[1]
            assert self.process.poll() is None, self.output
            time.sleep(0.01)
        pytest.fail(f"{words!r} was not said in time, but:\n{self.output}")

    def url(self) -> str:
        return self.wait_for("Listening on ").split()[0]

    def ready_url(self) -> str:
        return self.wait_for("Ready on ").split(": ")[0]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def exit_code(self) -> int:
        return self.process.wait(timeout=SECONDS)


def environment() -> dict[str, str]:
    """Returns the environment without variables of the program."""
    return {name: text for name, text in os.environ.items() if not name.startswith("LLAMA_") and name != "HF_TOKEN"}


@contextmanager
def running(tmp_path: Path, *arguments: str) -> Iterator[Program]:
    program = Program(tmp_path / "log", *arguments)
    try:
        yield program
    finally:
        program.process.kill()
        program.process.wait()


def run_failing(*flags: str, code: int = 1) -> str:
    """Returns the last line of stderr of a program that must fail without a traceback."""
    command = [sys.executable, *PROGRAM, "--port", "0", *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=environment(), check=False)
    assert (done.returncode, done.stdout) == (code, "")
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error: ") == 1
    return done.stderr.splitlines()[-1]
