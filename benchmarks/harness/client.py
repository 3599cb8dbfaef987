"""Asking a server for completions, whatever dialect it speaks."""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

PromptT = TypeVar("PromptT", list[int], str)
"""Token ids, or a text for servers that take nothing else."""
ResultT = TypeVar("ResultT")

GREEDY = {"temperature": 0, "repeat_penalty": 1, "ignore_eos": True}
"""The most likely token each time, and always as many of them as were asked for."""
CLOSE_CONNECTION = {"Connection": "close"}
"""The header of streams: llama.cpp's server now and then closes a connection behind one without a word of it, while
the next request is on its way."""
REQUEST_TIMEOUT = 3600
"""Until a server is given up."""


@dataclass(frozen=True)
class Answer(Generic[PromptT]):
    """What came back for a prompt."""

    prompt: PromptT
    n_predict: int
    tokens: PromptT
    """Those that were generated; some more than asked for if the last character was not complete yet."""
    n_evaluated: int
    """Tokens of the prompt that were computed for it, as far as the server says."""
    n_generated: int
    arrivals: Sequence[float]
    """Seconds from the request to each event that brought tokens; one if they came all at once."""

    @property
    def first_token_s(self) -> float:
        return self.arrivals[0]


class Client(ABC, Generic[PromptT]):
    """Somebody who keeps cookies. `options` are spelled as the server's dialect does."""

    @abstractmethod
    def complete(self, prompt: PromptT, n_predict: int, **options: object) -> Answer[PromptT]:
        """Ask for all tokens at once."""

    @abstractmethod
    def stream(self, prompt: PromptT, n_predict: int, **options: object) -> Answer[PromptT]:
        """Ask for tokens one by one."""


class Server(ABC, Generic[PromptT]):
    """One server."""

    name: str
    """In tables."""

    @abstractmethod
    def clients(self, n_clients: int) -> Sequence[Client[PromptT]]:
        """Returns new clients that share nothing."""


class Prompts(ABC, Generic[PromptT]):
    """Prompts that no server has seen before, the same ones for the same seed."""

    def __init__(self, seed: Sequence[int]) -> None:
        self.random = np.random.default_rng(seed)
        """Where they come from, also for what else is drawn."""

    @abstractmethod
    def draw(self, n_tokens: int) -> PromptT:
        """Returns a new one of about so many tokens."""


def run_concurrently(calls: Sequence[Callable[[], ResultT]]) -> tuple[list[ResultT], float]:
    """Make all calls at the same time. Returns their results, in order, and the seconds until the last of them."""
    with ThreadPoolExecutor(len(calls)) as threads:
        started = time.perf_counter()
        results = [future.result() for future in [threads.submit(call) for call in calls]]
        return results, time.perf_counter() - started


@dataclass(frozen=True)
class Event:
    """A server-sent event."""

    seconds: float
    """From the request to it."""
    data: dict[str, Any]


def with_arrival_times(lines: Iterable[bytes]) -> list[tuple[float, bytes]]:
    """Returns the lines, each with the seconds until it came. Nothing is read out of them yet: on a small machine that
    would take time away from the server."""
    started = time.perf_counter()
    return [(time.perf_counter() - started, line) for line in lines]


def read_events(lines: Iterable[tuple[float, bytes]]) -> list[Event]:
    """Returns the events among the lines of a stream, without comments and without OpenAI's word for its end.

    Raises RuntimeError for an event that tells of an error.
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
