"""JobProcess: the process of a job, as the server sees it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""Where the packages of this program are."""
KILL_SECONDS = 5.0
"""After a request to end, until it is killed."""

OnProgress = Callable[[int, int, float], None]
"""Gets the number of steps done and of all, and the loss of the last one."""


class JobProcess:
    """Ends with this process, even if that is killed: it reads a pipe that then closes."""

    def __init__(self, folder: Path, key: str = "", on_progress: OnProgress | None = None) -> None:
        """`key` reaches the process by a pipe: neither arguments nor variables, which others may see, hold it.
        `on_progress` is called in a thread of its own."""
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *_known_paths()]), "PYTHONUNBUFFERED": "1"}
        descriptor = os.open(folder / "stderr.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "server.fine_tuning.job", str(folder.resolve())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if on_progress else subprocess.DEVNULL,
                stderr=log,
                env=environ,
                start_new_session=True,
            )
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(key).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended, which its exit code says
        if on_progress is not None:
            threading.Thread(target=self._follow, args=(on_progress,), daemon=True).start()

    def wait(self, seconds: float) -> int | None:
        """Returns the exit code, or None if it still runs after `seconds`."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def close_pipe(self) -> None:
        """Does what the end of this process does."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def stop(self) -> None:
        """Ends it and what it has started. Blocks for at most some seconds, until it is gone."""
        self._signal(signal.SIGTERM)
        if self.wait(KILL_SECONDS) is None:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _follow(self, on_progress: OnProgress) -> None:
        for line in self._process.stdout or ():
            with contextlib.suppress(ValueError):
                on_progress(*json.loads(line))

    def _signal(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, number)
            else:
                self._process.terminate()


def _known_paths() -> list[str]:
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
