"""A server that answers POST /completion as its clients see it: ours, or llama.cpp's."""

import time
from collections.abc import Mapping
from typing import Any

import requests

from benchmarks.harness.client import (
    CLOSE_CONNECTION,
    GREEDY,
    REQUEST_TIMEOUT,
    Answer,
    Client,
    Server,
    read_events,
    with_arrival_times,
)


class CompletionClient(Client[list[int]]):
    """Somebody who keeps cookies, and whose prompts are tokens."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/completion"
        self._session = requests.Session()

    def complete(self, prompt: list[int], n_predict: int, **options: object) -> Answer[list[int]]:
        started = time.perf_counter()
        result = self.ask(prompt, n_predict, return_tokens=True, **options)
        seconds = time.perf_counter() - started
        return _answer(prompt, n_predict, result["tokens"], result, [seconds])

    def stream(self, prompt: list[int], n_predict: int, **options: object) -> Answer[list[int]]:
        started = time.perf_counter()
        with self._post(prompt, n_predict, {"stream": True, **options}) as response:
            sent_s = time.perf_counter() - started
            events = read_events(with_arrival_times(response.iter_lines(chunk_size=None)))
        last = _check_complete(events[-1].data, n_predict)
        with_tokens = [event for event in events if event.data["tokens"]]
        tokens = [token for event in with_tokens for token in event.data["tokens"]]
        return _answer(prompt, n_predict, tokens, last, [sent_s + event.seconds for event in with_tokens])

    def ask(self, prompt: list[int], n_predict: int, **options: object) -> dict[str, Any]:
        """Ask for all tokens at once. Returns the result as the server spells it.

        Raises RuntimeError if it is not a result or has not all tokens.
        """
        return _check_complete(self._post(prompt, n_predict, options).json(), n_predict)

    def _post(self, prompt: list[int], n_predict: int, options: Mapping[str, object]) -> requests.Response:
        body = {"prompt": prompt, "n_predict": n_predict, **GREEDY, **options}
        headers = CLOSE_CONNECTION if "stream" in options else None
        response = self._session.post(self._url, json=body, headers=headers, stream=True, timeout=REQUEST_TIMEOUT)
        if not response.ok:
            raise RuntimeError(f"{self._url} answers {response.status_code}: {response.text}")
        return response


class Endpoint(Server[list[int]]):
    """One server and what it is called in tables."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.url = url
        props = requests.get(f"{url}/props", timeout=REQUEST_TIMEOUT).json()
        self.n_slots: int = props["total_slots"]
        self.n_ctx: int = props["default_generation_settings"]["n_ctx"]
        """Tokens that a slot has room for."""
        self.build: str = props["build_info"]
        self.model: dict[str, int] = requests.get(f"{url}/v1/models", timeout=REQUEST_TIMEOUT).json()["data"][0]["meta"]
        """Sizes of the model, by name."""

    def clients(self, n_clients: int) -> list[CompletionClient]:
        return [CompletionClient(self.url) for _ in range(n_clients)]

    def tokenize(self, text: str) -> list[int]:
        """Returns the ordinary tokens of a text, without special ones."""
        body = {"content": text, "add_special": False, "parse_special": False}
        tokens: list[int] = requests.post(f"{self.url}/tokenize", json=body, timeout=REQUEST_TIMEOUT).json()["tokens"]
        return tokens

    def check_same_model(self, other: "Endpoint") -> None:
        """Raises SystemExit if another server has another model."""
        if any(self.model[name] != other.model[name] for name in ("n_params", "n_vocab", "n_embd")):
            raise SystemExit(f"{other.url} serves another model than {self.url}")


def _check_complete(result: dict[str, Any], n_predict: int) -> dict[str, Any]:
    n_predicted = result["timings"]["predicted_n"]
    if n_predicted < n_predict:
        raise RuntimeError(f"only {n_predicted} tokens were generated instead of {n_predict}")
    return result


def _answer(
    prompt: list[int], n_predict: int, tokens: list[int], result: Mapping[str, Any], arrivals: list[float]
) -> Answer[list[int]]:
    timings = result["timings"]
    return Answer(prompt, n_predict, tokens, timings["prompt_n"], timings["predicted_n"], arrivals)
