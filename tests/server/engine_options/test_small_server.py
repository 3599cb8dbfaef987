"""A server with one slot, a queue of one and no GET /slots."""

import time
from collections.abc import Iterator

import pytest

from tests.conftest import running_server
from tests.server.http_client import SECONDS, complete, get, get_error, open_stream, post, refusal


@pytest.fixture(scope="module")
def small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("small")
    with running_server(folder, "--parallel", "1", "--max-queue", "1", "--no-slots") as url:
        yield url


@pytest.mark.parametrize("is_streamed", [False, True])
def test_full_queue_says_when_to_come_again(small_server: str, *, is_streamed: bool) -> None:
    with open_stream(small_server):
        response = post(small_server, {"prompt": ["a", "b"], "stream": is_streamed})
    error = get_error(response)
    assert (error["code"], error["type"]) == (503, "unavailable_error")
    assert int(response.headers["Retry-After"]) > 0


def test_more_prompts_than_can_ever_fit_are_refused_for_good(small_server: str) -> None:
    message = refusal(small_server, prompt=["a", "b", "c"])
    assert message == "prompt: expected at most 2 prompts, the slots and places in the queue, got 3"


def test_prompts_that_do_not_all_fit_leave_nothing_behind(small_server: str) -> None:
    with open_stream(small_server):
        post(small_server, {"prompt": ["a", "b"], "ignore_eos": True})
    deadline = time.monotonic() + SECONDS
    while post(small_server, {"prompt": "a", "n_predict": 1}).status_code == 503:
        assert time.monotonic() < deadline
    assert len(complete(small_server, prompt=["a", "b"], n_predict=1)) == 2


def test_request_waits_for_the_slot(small_server: str) -> None:
    results = complete(small_server, prompt=["a", "b"], n_predict=4)
    assert [result["slot_id"] for result in results] == [0, 0]


def test_slots_are_not_listed(small_server: str) -> None:
    error = get_error(get(f"{small_server}/slots"))
    assert (error["code"], error["type"]) == (501, "not_supported_error")
    assert error["message"] == "This server does not support slots endpoint. Start it with `--slots`"
