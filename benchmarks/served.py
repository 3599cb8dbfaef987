"""A server as it is started by hand, and clients that keep it busy."""

import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

_SECONDS_TO_START = 60


class Program:
    """The program on a free port."""

    def __init__(self, *flags: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._command = [sys.executable, "-m", "server", *flags, "--port", str(port)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LLAMA_ARG_")}
        self._process = subprocess.Popen(self._command, env=environment, stderr=subprocess.DEVNULL)
        self._wait()

    def close(self) -> None:
        """Stops it."""
        self._process.terminate()
        self._process.wait()

    def _wait(self) -> None:
        started = time.monotonic()
        while time.monotonic() < started + _SECONDS_TO_START:
            if self._process.poll() is not None:
                raise RuntimeError(f"the server did not start; to see why: {' '.join(self._command)}")
            try:
                if requests.get(f"{self.url}/health", timeout=1).ok:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.1)
        self.close()
        raise TimeoutError(f"the server did not start within {_SECONDS_TO_START} seconds")


class Served:
    """The program with as many slots as clients."""

    def __init__(self, path: Path, n_clients: int, prompt: str) -> None:
        self._program = Program("--model", str(path), "--parallel", str(n_clients))
        self._clients = ThreadPoolExecutor(n_clients)
        self._sessions = [requests.Session() for _ in range(n_clients)]
        self._prompt = prompt

    def tokens_per_second(self, n_predict: int, **options: float) -> float:
        """Returns the tokens of one completion for each client by the seconds until the last of them is there."""
        body = {"prompt": self._prompt, "n_predict": n_predict, "ignore_eos": True, "cache_prompt": False, **options}

        def ask(session: requests.Session) -> int:
            answer = session.post(f"{self._program.url}/completion", json=body, timeout=600)
            answer.raise_for_status()
            n_tokens: int = answer.json()["tokens_predicted"]
            return n_tokens

        started = time.perf_counter()
        n_tokens = sum(self._clients.map(ask, self._sessions))
        return n_tokens / (time.perf_counter() - started)

    def close(self) -> None:
        """Stops the server."""
        self._program.close()
        self._clients.shutdown()
