"""Servers with llama.cpp's API, ours or llama.cpp's, and clients of their POST /completion."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import requests

from benchmarks.harness.client import REQUEST_TIMEOUT, Answer, Event, HttpClient, Server


class CompletionClient(HttpClient[list[int]]):
    """A client that sends tokens."""

    complete_options: ClassVar[Mapping[str, object]] = {"return_tokens": True}

    def ask(self, prompt: list[int], n_predict: int, **options: object) -> dict[str, Any]:
        """Requests all tokens at once. Returns the server's own result.

        Raises RuntimeError if it is not a result or has not all tokens.
        """
        result: dict[str, Any] = self._post(prompt, n_predict, options).json()
        _check_complete(result, n_predict)
        return result

    def _request(
        self, prompt: list[int], n_predict: int, _options: Mapping[str, object]
    ) -> tuple[str, dict[str, object]]:
        return "/completion", {"prompt": prompt, "n_predict": n_predict}

    def _answer(self, prompt: list[int], n_predict: int, events: Sequence[Event]) -> Answer[list[int]]:
        last = events[-1].data
        _check_complete(last, n_predict)
        tokens = [token for event in events for token in event.data["tokens"]]
        arrivals = [event.seconds for event in events if event.data["tokens"]]
        timings = last["timings"]
        return Answer(prompt, n_predict, tokens, timings["prompt_n"], timings["predicted_n"], arrivals)


def _check_complete(result: Mapping[str, Any], n_predict: int) -> None:
    n_predicted = result["timings"]["predicted_n"]
    if n_predicted < n_predict:
        raise RuntimeError(f"only {n_predicted} tokens were generated instead of {n_predict}")


class Endpoint(Server[list[int]]):
    """A running server, with what it says about its slots and its model."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.url = url
        props = requests.get(f"{url}/props", timeout=REQUEST_TIMEOUT).json()
        self.n_slots: int = props["total_slots"]
        self.n_ctx: int = props["default_generation_settings"]["n_ctx"]
        """Of one slot, in tokens."""
        self.build: str = props["build_info"]
        self.model: dict[str, int] = requests.get(f"{url}/v1/models", timeout=REQUEST_TIMEOUT).json()["data"][0]["meta"]
        """Sizes of the model, by name."""

    def clients(self, n_clients: int) -> list[CompletionClient]:
        return [CompletionClient(self.url) for _ in range(n_clients)]

    def tokenize(self, text: str) -> list[int]:
        """Returns the tokens of a text, without special ones."""
        body = {"content": text, "add_special": False, "parse_special": False}
        tokens: list[int] = requests.post(f"{self.url}/tokenize", json=body, timeout=REQUEST_TIMEOUT).json()["tokens"]
        return tokens

    def check_same_model(self, other: "Endpoint") -> None:
        """Raises SystemExit if the other server has another model."""
        if any(self.model[name] != other.model[name] for name in ("n_params", "n_vocab", "n_embd")):
            raise SystemExit(f"{other.url} serves another model than {self.url}")
