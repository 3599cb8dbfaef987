import http.client
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.server.http_client import SECONDS, STORY, get, open_stream


def busy_slots(server: str) -> int:
    return sum(slot["is_processing"] for slot in get(f"{server}/slots").json())


def wait_until(server: str, n_busy: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while busy_slots(server) != n_busy:
        assert time.monotonic() < deadline, f"{busy_slots(server)} slots are busy, expected {n_busy}"
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def idle_server(server: str) -> Iterator[None]:
    wait_until(server, 0, SECONDS)
    yield


@pytest.mark.parametrize("prompt", [STORY, ["A dog", "A cat", "A bird"]])
def test_slots_of_a_stream_are_free_when_its_client_has_gone(server: str, prompt: Any) -> None:
    with open_stream(server, prompt=prompt):
        wait_until(server, 1 if prompt == STORY else 3, 1.0)
    wait_until(server, 0, 1.0)


@pytest.mark.parametrize("prompt", [STORY, ["A dog", "A cat", "A bird"]])
def test_slots_of_an_answer_are_free_when_its_client_has_gone(server: str, prompt: Any) -> None:
    address = urlsplit(server)
    client = http.client.HTTPConnection(str(address.hostname), address.port, timeout=SECONDS)
    client.request("POST", "/completion", json.dumps({"prompt": prompt, "ignore_eos": True}))
    wait_until(server, 1 if prompt == STORY else 3, 1.0)
    client.close()
    wait_until(server, 0, 1.0)


def test_client_that_goes_away_within_its_body_does_no_harm(server: str) -> None:
    address = urlsplit(server)
    client = http.client.HTTPConnection(str(address.hostname), address.port, timeout=SECONDS)
    client.putrequest("POST", "/completion")
    client.putheader("Content-Length", "1000")
    client.endheaders(b'{"prompt": "a')
    client.close()
    assert get(f"{server}/health").ok
