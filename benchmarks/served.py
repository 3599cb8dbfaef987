"""A server as it is started by hand, and clients that keep it busy."""

import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests


class Served:
    """The program on a free port, with as many slots as clients."""

    def __init__(self, path: Path, n_clients: int, prompt: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        port = self._url.rpartition(":")[2]
        command = [sys.executable, "-m", "server", "--model", str(path), "--port", port, "--parallel", str(n_clients)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LLAMA_ARG_")}
        self._process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        self._clients = ThreadPoolExecutor(n_clients)
        self._sessions = [requests.Session() for _ in range(n_clients)]
        self._prompt = prompt
        self._wait()

    def tokens_per_second(self, n_predict: int, **options: float) -> float:
        """Returns the tokens of one completion for each client by the seconds until the last of them is there."""
        body = {"prompt": self._prompt, "n_predict": n_predict, "ignore_eos": True, "cache_prompt": False, **options}

        def ask(session: requests.Session) -> int:
            answer = session.post(f"{self._url}/completion", json=body, timeout=600)
            answer.raise_for_status()
            n_tokens: int = answer.json()["tokens_predicted"]
            return n_tokens

        started = time.perf_counter()
        n_tokens = sum(self._clients.map(ask, self._sessions))
        return n_tokens / (time.perf_counter() - started)

    def close(self) -> None:
        """Stops the server."""
        self._process.terminate()
        self._process.wait()
        self._clients.shutdown()

    def _wait(self) -> None:
        for _attempt in range(600):
            try:
                if requests.get(f"{self._url}/health", timeout=1).ok:
                    return
            except requests.ConnectionError:
                pass
            time.sleep(0.1)
        raise TimeoutError("the server did not start within a minute")
