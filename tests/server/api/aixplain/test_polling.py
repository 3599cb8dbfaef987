"""POST /api/v1/execute/{model}, and GET of the URL in its answer."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.conftest import running_server
from tests.server.api.aixplain.aixplain_client import TELL, V1, answer, execute, get_error, refusal
from tests.server.http_client import SECONDS, Json, open_stream

KEYS = ("secret", "other")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server with two keys, and room for two requests."""
    flags = ("--api-key", KEYS[0], "--api-key", KEYS[1], "--parallel", "1", "--max-queue", "1")
    with running_server(tmp_path_factory.mktemp("guarded"), *flags) as url:
        yield url


def start(url: str, key: str = "none", **fields: Any) -> str:
    """Returns the URL to poll."""
    response = execute(url, V1, key, **fields)
    assert response.status_code == 200, response.text
    accepted = response.json()
    assert (accepted["status"], accepted["completed"]) == ("IN_PROGRESS", False)
    polled: str = accepted["data"]
    return polled


def poll(url: str, key: str = "none") -> requests.Response:
    return requests.get(url, headers={"x-api-key": key}, timeout=SECONDS)


def result(url: str, key: str = "none") -> Json:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        response = poll(url, key)
        assert response.status_code == 200, response.text
        found: Json = response.json()
        if found["completed"]:
            return found
        assert found == {"status": "IN_PROGRESS", "completed": False}
        time.sleep(0.01)
    pytest.fail("the job took too long")


def test_result_is_that_of_an_execution(server: str) -> None:
    found, expected = result(start(server)), answer(server)
    assert (found["status"], found["data"], found["details"]) == ("SUCCESS", expected["data"], expected["details"])


def test_result_can_be_fetched_again(server: str) -> None:
    url = start(server)
    assert result(url) == result(url)


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        ({}, "http"),
        ({"X-Forwarded-Proto": "https"}, "https"),
        ({"X-Forwarded-Proto": "https, http"}, "https"),
        ({"X-Forwarded-Proto": "gopher"}, "http"),
    ],
)
def test_url_is_the_one_that_the_client_knows(server: str, headers: dict[str, str], scheme: str) -> None:
    headers = {"Host": "models.example:8443", **headers}
    accepted = requests.post(server + V1, json={"data": TELL}, headers=headers, timeout=SECONDS).json()
    url, _, job_id = accepted["data"].rpartition("/")
    assert url == f"{scheme}://models.example:8443/api/v1/data"
    assert job_id.replace("-", "").replace("_", "").isalnum()  # all that the SDK takes for a URL to poll


def test_only_the_key_of_a_job_polls_it(guarded: str) -> None:
    url = start(guarded, KEYS[0])
    assert result(url, KEYS[0])["status"] == "SUCCESS"
    assert poll(url, KEYS[1]).status_code == 404
    response = poll(url, "wrong")
    assert response.status_code == 401
    assert "an API key of this server" in get_error(response)


def test_unknown_job_ends_the_polling(server: str) -> None:
    response = poll(f"{server}/api/v1/data/unknown")
    assert response.status_code == 404
    assert get_error(response).startswith("job: expected a job of this API key that runs or ended within 60 minutes,")


def test_wrong_field_is_refused_at_once(server: str) -> None:
    assert refusal(server, V1, max_tokens=-2) == "max_tokens: expected -1 or more, got -2"
    assert refusal(server, V1, data="a " * 5000).startswith("data: request (5")
    assert refusal(server, V1, grammar="root ::= nothing").startswith("grammar: ")


def test_url_is_answered_before_the_text_is_there_and_a_full_queue_refuses_at_once(guarded: str) -> None:
    with requests.Session() as client:
        client.headers["x-api-key"] = KEYS[0]
        with open_stream(guarded, client):
            url = start(guarded, KEYS[0], max_tokens=3, ignore_eos=True)
            error = refusal(guarded, V1, 503, key=KEYS[0])
            assert poll(url, KEYS[0]).json() == {"status": "IN_PROGRESS", "completed": False}
    assert error.startswith("all 1 slots are busy")
    assert result(url, KEYS[0])["usage"]["completion_tokens"] == 3
