"""A server that speaks OpenAI's dialect as its clients see it."""

import time
from collections.abc import Mapping, Sequence
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


class OpenAiClient(Client[str]):
    """Somebody who keeps cookies, and whose prompts are texts. A prompt with a response_format goes to
    /v1/chat/completions as a message, any other one to /v1/completions."""

    def __init__(self, url: str, model: str) -> None:
        self._url = url
        self._model = model
        self._session = requests.Session()

    def complete(self, prompt: str, n_predict: int, **options: object) -> Answer[str]:
        started = time.perf_counter()
        result = self._post(prompt, n_predict, options).json()
        seconds = time.perf_counter() - started
        return _answer(prompt, n_predict, get_text(result), result["usage"], [seconds])

    def stream(self, prompt: str, n_predict: int, **options: object) -> Answer[str]:
        streaming = {"stream": True, "stream_options": {"include_usage": True}}
        started = time.perf_counter()
        with self._post(prompt, n_predict, {**streaming, **options}) as response:
            sent_s = time.perf_counter() - started
            events = read_events(with_arrival_times(response.iter_lines(chunk_size=None)))
        # Some servers say that the connection stays and then close it as they were asked to. The cookies are kept.
        self._session.close()
        with_text = [event for event in events if get_text(event.data)]
        text = "".join(get_text(event.data) for event in with_text)
        arrivals = [sent_s + event.seconds for event in with_text or events[-1:]]
        return _answer(prompt, n_predict, text, get_usage([event.data for event in events], n_predict), arrivals)

    def _post(self, prompt: str, n_predict: int, options: Mapping[str, object]) -> requests.Response:
        is_chat = "response_format" in options
        prompt_field = {"messages": [{"role": "user", "content": prompt}]} if is_chat else {"prompt": prompt}
        url = f"{self._url}/v1/{'chat/completions' if is_chat else 'completions'}"
        body = {"model": self._model, **prompt_field, "max_tokens": n_predict, **GREEDY, **options}
        headers = CLOSE_CONNECTION if "stream" in options else None
        response = self._session.post(url, json=body, headers=headers, stream=True, timeout=REQUEST_TIMEOUT)
        if not response.ok:
            raise RuntimeError(f"{url} answers {response.status_code}: {response.text}")
        return response


class OpenAiEndpoint(Server[str]):
    """One server and what it is called in tables."""

    def __init__(self, name: str, url: str, model: str | None = None) -> None:
        """Without a `model`, the first one is asked that the server lists."""
        self.name = name
        self._url = url
        self._model = model or requests.get(f"{url}/v1/models", timeout=REQUEST_TIMEOUT).json()["data"][0]["id"]

    def clients(self, n_clients: int) -> list[OpenAiClient]:
        return [OpenAiClient(self._url, self._model) for _ in range(n_clients)]


def get_text(data: Mapping[str, Any]) -> str:
    """Returns the text in an answer or in an event of a stream, of a chat or not; it may be none."""
    choices = data.get("choices") or [{}]
    message = choices[0].get("message") or choices[0].get("delta") or {}
    return choices[0].get("text") or message.get("content") or ""


def get_usage(events: Sequence[Mapping[str, Any]], n_predict: int) -> Mapping[str, Any]:
    """Returns what the events of a stream say of its tokens. Some servers do not say it: then all were generated that
    were asked for if their number ended the text, and otherwise one for each event with a text."""
    for event in events:
        if event.get("usage"):
            usage: Mapping[str, Any] = event["usage"]
            return usage
    is_full = any(choice.get("finish_reason") == "length" for event in events for choice in event.get("choices", []))
    n_with_text = sum(1 for event in events if get_text(event))
    return {"prompt_tokens": 0, "completion_tokens": n_predict if is_full else n_with_text}


def _answer(prompt: str, n_predict: int, text: str, usage: Mapping[str, Any], arrivals: list[float]) -> Answer[str]:
    n_cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    n_evaluated = usage["prompt_tokens"] - n_cached
    return Answer(prompt, n_predict, text, n_evaluated, usage["completion_tokens"], arrivals)
