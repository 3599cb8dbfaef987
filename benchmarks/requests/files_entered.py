"""How many of the project's files one request passes through: python -m benchmarks.requests.files_entered [--list]

A server runs in this process, and answers one plain POST /completion, then one streamed chat
completion that calls a tool. Counted are the files of server, slots, grammar and models of which a function is called
while the request is served, in any thread, until the server is idle again. What imports run is not counted, nor what
the server does at its start; functions that are compiled by Cython are not seen.
"""

import inspect
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import requests

from benchmarks.harness.arguments import make_parser
from benchmarks.harness.server_process import find_free_port
from server.cli.configuration import read_configuration
from server.lifecycle.launch import launch

PROJECT = Path(__file__).parents[2]
PACKAGES = tuple(f"{PROJECT / name}{os.sep}" for name in ("server", "slots", "grammar", "models"))
IDLE_SECONDS = 1.0
"""Without a call, after which the server counts as idle."""
TIMEOUT = 60.0

COMPLETION = {"prompt": "Once upon a time", "n_predict": 16, "seed": 1}
WEATHER = {
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]},
}
TOOL_CALL = {
    "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
    "tools": [{"type": "function", "function": WEATHER}],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "stream": True,
    "seed": 1,
}


class CallRecorder:
    """Records the files of the functions that are called in this thread and in those that are started later."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._last_call = 0.0
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)

    def files_of(self, call: Callable[[], None]) -> list[str]:
        """Returns the files, relative to the project and in order, that are entered from the beginning of a call until
        nothing is called any more. Raises TimeoutError if that does not happen."""
        self._wait_until_idle()
        self._files.clear()
        call()
        self._wait_until_idle()
        return sorted(str(Path(file).relative_to(PROJECT)) for file in self._files)

    def _profile(self, frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        # Bodies of modules and classes, which only imports run, do not have the flag.
        if event == "call" and code.co_flags & inspect.CO_OPTIMIZED and code.co_filename.startswith(PACKAGES):
            self._files.add(code.co_filename)
            self._last_call = time.monotonic()

    def _wait_until_idle(self) -> None:
        ends = time.monotonic() + TIMEOUT
        while time.monotonic() < self._last_call + IDLE_SECONDS:
            if time.monotonic() > ends:
                raise TimeoutError(f"the server is not idle after {TIMEOUT:.0f} seconds")
            time.sleep(IDLE_SECONDS / 4)


def wait_until_ready(url: str) -> None:
    """Raises TimeoutError if the server does not answer in time."""
    ends = time.monotonic() + TIMEOUT
    while time.monotonic() < ends:
        try:
            if requests.get(f"{url}/health", timeout=TIMEOUT).ok:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.1)
    raise TimeoutError(f"the server is not ready after {TIMEOUT:.0f} seconds")


def post(url: str, body: object, expected: str) -> None:
    """Raises RuntimeError for a response without an expected text."""
    text = requests.post(url, json=body, timeout=TIMEOUT).text
    if expected not in text:
        raise RuntimeError(f"{url} answers {text[-500:]}")


def report(url: str, recorder: CallRecorder, *, shows_files: bool) -> None:
    """Sends both requests to the server and prints how many files each of them enters, and which ones."""
    wait_until_ready(url)
    post(f"{url}/tokenize", {"content": "warm-up"}, "tokens")
    counted = {
        "POST /completion": recorder.files_of(lambda: post(f"{url}/completion", COMPLETION, '"stop":true')),
        "a streamed tool call": recorder.files_of(
            lambda: post(f"{url}/v1/chat/completions", TOOL_CALL, '"finish_reason":"tool_calls"')
        ),
    }
    for name, files in counted.items():
        print(f"{name}: {len(files)} files")
        if shows_files:
            print("".join(f"    {file}\n" for file in files))


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--list", action="store_true", help="print the files, too")
    arguments = parser.parse_args()
    port = find_free_port()
    recorder = CallRecorder()

    def run() -> None:
        try:
            report(f"http://127.0.0.1:{port}", recorder, shows_files=arguments.list)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    # The server has the main thread, for its signals.
    client = threading.Thread(target=run)
    client.start()
    launch(read_configuration(["--model", str(arguments.model), "--port", str(port), "--threads", "1"], {}))
    client.join()


if __name__ == "__main__":
    main()
