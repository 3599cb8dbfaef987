"""Clients that go away before the end of their answer, which without them has none."""

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.server.http_client import SECONDS, STORY, get, n_busy, open_stream, wait_until

PROMPTS = pytest.mark.parametrize("prompt", [STORY, ["A dog", "A cat", "A bird"]])


@pytest.fixture(autouse=True)
def idle_server(endless_server: str) -> Iterator[None]:
    wait_until(lambda: n_busy(endless_server) == 0, "the end of other requests")
    yield


def wait_until_busy(server: str, prompt: Any) -> None:
    wait_until(lambda: n_busy(server) == (1 if prompt == STORY else len(prompt)), "the start")


@PROMPTS
def test_slots_of_a_stream_are_free_when_its_client_has_gone(endless_server: str, prompt: Any) -> None:
    with open_stream(endless_server, prompt=prompt):
        wait_until_busy(endless_server, prompt)
    wait_until(lambda: n_busy(endless_server) == 0, "the end")


@PROMPTS
def test_slots_of_an_answer_are_free_when_its_client_has_gone(endless_server: str, prompt: Any) -> None:
    address = urlsplit(endless_server)
    client = http.client.HTTPConnection(str(address.hostname), address.port, timeout=SECONDS)
    client.request("POST", "/completion", json.dumps({"prompt": prompt, "n_predict": -1, "ignore_eos": True}))
    wait_until_busy(endless_server, prompt)
    client.close()
    wait_until(lambda: n_busy(endless_server) == 0, "the end")


def test_client_that_goes_away_within_its_body_does_no_harm(server: str) -> None:
    address = urlsplit(server)
    client = http.client.HTTPConnection(str(address.hostname), address.port, timeout=SECONDS)
    client.putrequest("POST", "/completion")
    client.putheader("Content-Length", "1000")
    client.endheaders(b'{"prompt": "a')
    client.close()
    assert get(f"{server}/health").ok
