"""Clients and servers of any dialect, as workloads see them."""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import requests

PromptT = TypeVar("PromptT", list[int], str)
"""Token ids, or a text for servers that take nothing else."""
ResultT = TypeVar("ResultT")

GREEDY = {"temperature": 0, "repeat_penalty": 1, "ignore_eos": True}
"""Takes the most likely token each time, and always generates as many as are requested."""
CLOSE_CONNECTION = {"Connection": "close"}
"""The header of streams: llama.cpp's server now and then closes the connection of one without saying so, while the
next request is on its way."""
REQUEST_TIMEOUT = 3600
"""Seconds."""


@dataclass(frozen=True)
class Answer(Generic[PromptT]):
    """What a server generated for a prompt."""

    prompt: PromptT
    n_predict: int
    tokens: PromptT
    """Generated ones; some more than requested if the last character was not complete yet."""
    n_evaluated: int
    """Tokens of the prompt that were computed for it, according to the server."""
    n_generated: int
    arrivals: Sequence[float]
    """Seconds from the request to each event with tokens; one number if it was not a stream."""

    @property
    def first_token_s(self) -> float:
        return self.arrivals[0]


class Client(ABC, Generic[PromptT]):
    """A client that keeps cookies. `options` are spelled as in the server's dialect."""

    @abstractmethod
    def complete(self, prompt: PromptT, n_predict: int, **options: object) -> Answer[PromptT]:
        """Request all tokens at once."""

    @abstractmethod
    def stream(self, prompt: PromptT, n_predict: int, **options: object) -> Answer[PromptT]:
        """Request tokens one by one."""


class Server(ABC, Generic[PromptT]):
    """A running server."""

    name: str
    """In tables."""

    @abstractmethod
    def clients(self, n_clients: int) -> Sequence[Client[PromptT]]:
        """Returns new clients that share nothing."""


class Prompts(ABC, Generic[PromptT]):
    """A source of prompts that no server has seen before, the same ones for the same seed."""

    def __init__(self, seed: Sequence[int]) -> None:
        self.random = np.random.default_rng(seed)
        """For workloads, too, which draw times and orders from it."""

    @abstractmethod
    def draw(self, n_tokens: int) -> PromptT:
        """Returns a new prompt of about this many tokens."""

    @abstractmethod
    def cut(self, text: str, n_tokens: int) -> PromptT:
        """Returns the beginning of a text, of about this many tokens. Raises ValueError if the text is too short."""


@dataclass(frozen=True)
class Event:
    """A server-sent event, or the whole of a response that is not a stream."""

    seconds: float
    """From the request to it."""
    data: dict[str, Any]


class HttpClient(Client[PromptT]):
    """What the clients of all dialects have in common: a session, times and events."""

    complete_options: ClassVar[Mapping[str, object]] = {}
    stream_options: ClassVar[Mapping[str, object]] = {"stream": True}

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()

    def complete(self, prompt: PromptT, n_predict: int, **options: object) -> Answer[PromptT]:
        started = time.perf_counter()
        result = self._post(prompt, n_predict, {**self.complete_options, **options}).json()
        return self._answer(prompt, n_predict, [Event(time.perf_counter() - started, result)])

    def stream(self, prompt: PromptT, n_predict: int, **options: object) -> Answer[PromptT]:
        started = time.perf_counter()
        options = {**self.stream_options, **options}
        with self._post(prompt, n_predict, options, CLOSE_CONNECTION) as response:
            # Nothing is read out of the lines yet: on a small machine that would take time away from the server.
            lines = [(time.perf_counter() - started, line) for line in response.iter_lines(chunk_size=None)]
        # Some servers say that the connection stays and then close it as requested. The cookies are kept.
        self._session.close()
        return self._answer(prompt, n_predict, read_events(lines))

    @abstractmethod
    def _request(self, prompt: PromptT, n_predict: int, options: Mapping[str, object]) -> tuple[str, dict[str, object]]:
        """Returns the path of a request with these options, and the fields of its body for prompt and length."""

    @abstractmethod
    def _answer(self, prompt: PromptT, n_predict: int, events: Sequence[Event]) -> Answer[PromptT]:
        """Returns what the events of one response say together. Raises RuntimeError if tokens are missing."""

    def _post(
        self,
        prompt: PromptT,
        n_predict: int,
        options: Mapping[str, object],
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        path, fields = self._request(prompt, n_predict, options)
        url = self._url + path
        body = {**fields, **GREEDY, **options}
        response = self._session.post(url, json=body, headers=headers, stream=True, timeout=REQUEST_TIMEOUT)
        if not response.ok:
            raise RuntimeError(f"{url} answers {response.status_code}: {response.text}")
        return response


def read_events(lines: Iterable[tuple[float, bytes]]) -> list[Event]:
    """Returns the events among the lines of a stream, each with its seconds, without comments and OpenAI's `[DONE]`.

    Raises RuntimeError for an event with an error.
    """
    events = []
    for seconds, line in lines:
        data = line.removeprefix(b"data:").strip()
        if line.startswith(b"data:") and data != b"[DONE]":
            event = Event(seconds, json.loads(data))
            if "error" in event.data:
                raise RuntimeError(f"a stream ended with an error: {event.data['error']}")
            events.append(event)
    return events


def run_concurrently(calls: Sequence[Callable[[], ResultT]]) -> tuple[list[ResultT], float]:
    """Makes all calls at the same time. Returns their results, in order, and the seconds until the last one ended."""
    with ThreadPoolExecutor(len(calls)) as threads:
        started = time.perf_counter()
        results = [future.result() for future in [threads.submit(call) for call in calls]]
        return results, time.perf_counter() - started
