"""A server of completions as its clients see it: ours, or llama.cpp's, which takes the same requests."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import requests

GREEDY = {"temperature": 0, "repeat_penalty": 1, "ignore_eos": True}
"""The most likely token each time, and always as many of them as were asked for."""

_SECONDS = 3600

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Answer:
    """What came back for a prompt."""

    prompt: list[int]
    n_predict: int
    tokens: list[int]
    """Those that were generated; some more than asked for if the last character was not complete yet."""
    n_evaluated: int
    """Tokens of the prompt that were computed for it."""
    first_token_s: float
    """From the request to the first token, or to all of them if they do not come one by one."""


class Client:
    """Somebody who keeps cookies."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/completion"
        self._session = requests.Session()

    def complete(self, prompt: list[int], n_predict: int, **options: object) -> Answer:
        """Ask for all tokens at once."""
        started = time.perf_counter()
        result = self.ask(prompt, n_predict, return_tokens=True, **options)
        seconds = time.perf_counter() - started
        return Answer(prompt, n_predict, result["tokens"], result["timings"]["prompt_n"], seconds)

    def stream(self, prompt: list[int], n_predict: int) -> Answer:
        """Ask for tokens one by one."""
        tokens: list[int] = []
        first_token_s = 0.0
        started = time.perf_counter()
        with self._post(prompt, n_predict, {"stream": True}) as response:
            for line in response.iter_lines(chunk_size=None):
                if line.startswith(b"data: "):
                    first_token_s = first_token_s or time.perf_counter() - started
                    event = json.loads(line.removeprefix(b"data: "))
                    tokens += event["tokens"]
        last = _complete(event, n_predict)
        return Answer(prompt, n_predict, tokens, last["timings"]["prompt_n"], first_token_s)

    def ask(self, prompt: list[int], n_predict: int, **options: object) -> dict[str, Any]:
        """Ask for all tokens at once. Returns the result as the server spells it.

        Raises RuntimeError if it is not a result or has not all tokens.
        """
        return _complete(self._post(prompt, n_predict, options).json(), n_predict)

    def _post(self, prompt: list[int], n_predict: int, options: Mapping[str, object]) -> requests.Response:
        body = {"prompt": prompt, "n_predict": n_predict, **GREEDY, **options}
        response = self._session.post(self._url, json=body, stream=True, timeout=_SECONDS)
        if not response.ok:
            raise RuntimeError(f"{self._url} answers {response.status_code}: {response.text}")
        return response


class Endpoint:
    """One server and what it is called in tables."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.url = url
        props = requests.get(f"{url}/props", timeout=_SECONDS).json()
        self.n_slots: int = props["total_slots"]
        self.n_ctx: int = props["default_generation_settings"]["n_ctx"]
        """Tokens that a slot has room for."""
        self.model: dict[str, int] = requests.get(f"{url}/v1/models", timeout=_SECONDS).json()["data"][0]["meta"]
        """Sizes of the model, by name."""

    def clients(self, n_clients: int) -> list[Client]:
        """Returns new clients that share nothing."""
        return [Client(self.url) for _ in range(n_clients)]

    def tokenize(self, text: str) -> list[int]:
        """Returns the ordinary tokens of a text, without special ones."""
        body = {"content": text, "add_special": False, "parse_special": False}
        tokens: list[int] = requests.post(f"{self.url}/tokenize", json=body, timeout=_SECONDS).json()["tokens"]
        return tokens


def at_once(calls: Sequence[Callable[[], ResultT]]) -> tuple[list[ResultT], float]:
    """Make all calls at the same time. Returns their results, in order, and the seconds until the last of them."""
    with ThreadPoolExecutor(len(calls)) as threads:
        started = time.perf_counter()
        results = [future.result() for future in [threads.submit(call) for call in calls]]
        return results, time.perf_counter() - started


def _complete(result: dict[str, Any], n_predict: int) -> dict[str, Any]:
    n_predicted = result["timings"]["predicted_n"]
    if n_predicted < n_predict:
        raise RuntimeError(f"only {n_predicted} tokens were generated instead of {n_predict}")
    return result
