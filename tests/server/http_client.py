"""Requests to a server, as short as tests want to write them."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests

Json = dict[str, Any]

SECONDS = 300
STORY = "Once upon a time"
DETERMINISTIC = {"prompt": STORY, "n_predict": 8, "temperature": 0, "cache_prompt": False}
"""A short completion with the same result each time."""


def post(url: str, fields: object, path: str = "/completion") -> requests.Response:
    return requests.post(url + path, json=fields, timeout=SECONDS)


def get(url: str) -> requests.Response:
    return requests.get(url, timeout=SECONDS)


def complete(url: str, **fields: Any) -> Any:
    """Returns the response to a deterministic completion, changed by `fields`."""
    response = post(url, DETERMINISTIC | fields)
    assert response.status_code == 200, response.text
    return response.json()


def stream(url: str, **fields: Any) -> list[Json]:
    """Returns the events of a deterministic completion, changed by `fields`."""
    response = post(url, DETERMINISTIC | {"stream": True} | fields)
    assert response.status_code == 200, response.text
    return list(events(response.content))


def events(body: bytes) -> Iterator[Json]:
    """Parses server-sent events strictly: each is one line of data in UTF-8 and a blank line."""
    *blocks, rest = body.split(b"\n\n")
    assert not rest
    for block in blocks:
        assert block.startswith(b"data: ")
        yield json.loads(block.removeprefix(b"data: ").decode())


@contextmanager
def open_stream(url: str, client: requests.Session | None = None, **fields: Any) -> Iterator[bytes]:
    """Yields the first event of a long stream, which continues until the context ends and the client disconnects."""
    body = {"prompt": STORY, "n_predict": -1, "ignore_eos": True, "stream": True} | fields
    ask = client.post if client else requests.post
    with ask(f"{url}/completion", json=body, stream=True, timeout=SECONDS) as response:
        lines = response.iter_lines(chunk_size=1)
        yield next(lines)


@contextmanager
def begun_stream(url: str, **fields: Any) -> Iterator[Iterator[Json]]:
    """Yields what follows the first event of a deterministic completion, changed by `fields`."""
    body = DETERMINISTIC | {"stream": True} | fields
    with requests.post(f"{url}/completion", json=body, stream=True, timeout=SECONDS) as response:
        assert response.status_code == 200, response.text
        following = (json.loads(line.removeprefix(b"data: ")) for line in response.iter_lines(chunk_size=1) if line)
        next(following)
        yield following


def wait_until(is_true: Callable[[], bool], what: str) -> None:
    """Waits for a condition, which `what` names in the error if it takes longer than any machine needs."""
    deadline = time.monotonic() + SECONDS
    while not is_true():
        assert time.monotonic() < deadline, f"{what} took more than {SECONDS} seconds"
        time.sleep(0.01)


def n_busy(url: str) -> int:
    """Returns the number of slots that work on a request."""
    return sum(slot["is_processing"] for slot in get(f"{url}/slots").json())


def joined_text(chunks: list[Json]) -> str:
    return "".join(event["content"] for event in chunks)


def get_error(response: requests.Response) -> Json:
    """Returns the error in a response, after checking its shape."""
    error: Json = response.json()["error"]
    assert error["code"] == response.status_code
    assert isinstance(error["message"], str)
    assert isinstance(error["type"], str)
    return error


def refusal(url: str, **fields: Any) -> str:
    """Returns the message of the 400 response to a completion."""
    response = post(url, {"prompt": STORY, "n_predict": 1} | fields)
    error = get_error(response)
    assert (error["code"], error["type"]) == (400, "invalid_request_error")
    return str(error["message"])


def tokenize(url: str, text: str) -> list[int]:
    tokens: list[int] = post(url, {"content": text}, "/tokenize").json()["tokens"]
    return tokens
