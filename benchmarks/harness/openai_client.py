"""Servers that speak OpenAI's dialect, and their clients."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import requests

from benchmarks.harness.client import REQUEST_TIMEOUT, Answer, Event, HttpClient, Server


class OpenAiClient(HttpClient[str]):
    """A client that sends texts: with a response_format to /v1/chat/completions, as a message, and otherwise to
    /v1/completions."""

    stream_options: ClassVar[Mapping[str, object]] = {"stream": True, "stream_options": {"include_usage": True}}

    def __init__(self, url: str, model: str) -> None:
        super().__init__(url)
        self._model = model

    def _request(self, prompt: str, n_predict: int, options: Mapping[str, object]) -> tuple[str, dict[str, object]]:
        fields: dict[str, object] = {"model": self._model, "max_tokens": n_predict}
        if "response_format" in options:
            return "/v1/chat/completions", {**fields, "messages": [{"role": "user", "content": prompt}]}
        return "/v1/completions", {**fields, "prompt": prompt}

    def _answer(self, prompt: str, n_predict: int, events: Sequence[Event]) -> Answer[str]:
        with_text = [event for event in events if get_text(event.data)]
        text = "".join(get_text(event.data) for event in with_text)
        arrivals = [event.seconds for event in with_text or events[-1:]]
        usage = get_usage([event.data for event in events], n_predict)
        n_cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        return Answer(prompt, n_predict, text, usage["prompt_tokens"] - n_cached, usage["completion_tokens"], arrivals)


class OpenAiEndpoint(Server[str]):
    """A running server, with one of its models."""

    def __init__(self, name: str, url: str, model: str | None = None) -> None:
        """`model` is the first one that the server lists if it is None."""
        self.name = name
        self._url = url
        self._model = model or requests.get(f"{url}/v1/models", timeout=REQUEST_TIMEOUT).json()["data"][0]["id"]

    def clients(self, n_clients: int) -> list[OpenAiClient]:
        return [OpenAiClient(self._url, self._model) for _ in range(n_clients)]


def get_text(data: Mapping[str, Any]) -> str:
    """Returns the text of a response or an event, of a chat or not; it may be empty."""
    choices = data.get("choices") or [{}]
    message = choices[0].get("message") or choices[0].get("delta") or {}
    return choices[0].get("text") or message.get("content") or ""


def get_usage(events: Sequence[Mapping[str, Any]], n_predict: int) -> Mapping[str, Any]:
    """Returns the usage in the events of a stream. For servers that send none, `n_predict` tokens were generated if the
    text ended by its length, and otherwise one for each event with a text."""
    for event in events:
        if event.get("usage"):
            usage: Mapping[str, Any] = event["usage"]
            return usage
    is_full = any(choice.get("finish_reason") == "length" for event in events for choice in event.get("choices", []))
    n_with_text = sum(1 for event in events if get_text(event))
    return {"prompt_tokens": 0, "completion_tokens": n_predict if is_full else n_with_text}
