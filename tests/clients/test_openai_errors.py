"""Errors raise the exceptions that users of OpenAI's client catch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.clients.openai_clients import MODEL, STORY, complete, openai_client
from tests.conftest import running_server
from tests.server.http_client import open_stream, post
from tests.server.program import SLOW_PROGRAM, running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with one slot, one place in the queue, and a key."""
    folder = tmp_path_factory.mktemp("guarded")
    with running_server(folder, "--parallel", "1", "--max-queue", "1", "--api-key", "right") as url:
        yield url


def test_wrong_value_is_a_bad_request_that_names_it(server: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        complete(server, temperature="hot")
    assert caught.value.param == "temperature"
    assert caught.value.type == "invalid_request_error"
    assert 'temperature: expected a number, got "hot"' in str(caught.value)


@pytest.mark.parametrize("temperature", [-0.1, 2.1])
def test_temperature_is_bounded_as_at_openai(server: str, temperature: float) -> None:
    with pytest.raises(openai.BadRequestError, match="temperature: expected a number from 0 to 2"):
        complete(server, temperature=temperature)


def test_prompt_that_is_too_long_has_the_code_that_clients_look_for(server: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        complete(server, prompt="a " * 5000)
    assert (caught.value.code, caught.value.type) == ("context_length_exceeded", "exceed_context_size_error")
    assert "2048" in str(caught.value)


@pytest.mark.parametrize("base", ["", "/v1"])
def test_wrong_key_is_an_authentication_error(guarded: str, base: str) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        openai_client(guarded, base, key="wrong").models.list()
    assert caught.value.code == "invalid_api_key"


def test_unknown_model_is_not_found(server: str) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        openai_client(server).models.retrieve("gpt/4")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_unknown_path_is_not_found(server: str) -> None:
    with pytest.raises(openai.NotFoundError, match="there is no endpoint at /v1/batches"):
        openai_client(server).batches.list()


def test_full_queue_is_a_rate_limit_that_says_when_to_come_back(guarded: str) -> None:
    client = openai_client(guarded, key="right")
    endless: dict[str, Any] = {"extra_body": {"ignore_eos": True, "n_predict": -1}, "stream": True}
    first = client.completions.create(model=MODEL, prompt=STORY, **endless)
    next(iter(first))
    with pytest.raises(openai.RateLimitError) as caught:
        client.completions.create(model=MODEL, prompt=STORY, n=2)
    first.close()
    assert caught.value.code == "rate_limit_exceeded"
    assert caught.value.response.headers["Retry-After"] == "1"


def test_more_answers_than_can_ever_be_taken_are_a_bad_request(guarded: str) -> None:
    with pytest.raises(openai.BadRequestError, match="n: expected at most 2 answers"):
        openai_client(guarded, key="right").completions.create(model=MODEL, prompt=STORY, n=3)


def test_model_that_still_loads_is_unavailable(tmp_path: Path) -> None:
    with running(tmp_path, *SLOW_PROGRAM, "600") as program, pytest.raises(openai.InternalServerError) as caught:
        complete(program.url())
    assert caught.value.status_code == 503


def test_option_that_is_not_supported_is_not_sent_again(server: str) -> None:
    client = openai.OpenAI(base_url=f"{server}/v1", api_key="none", max_retries=5)
    with pytest.raises(openai.APIStatusError) as caught:
        client.completions.create(model=MODEL, prompt=STORY, extra_body={"image_data": [{"id": 0}]})
    assert caught.value.status_code == 501
    assert "x-stainless-retry-count" in caught.value.request.headers
    assert caught.value.request.headers["x-stainless-retry-count"] == "0"


def test_echo_with_logprobs_says_why_not(server: str) -> None:
    with pytest.raises(openai.BadRequestError, match="echo: expected no logprobs with it"):
        complete(server, echo=True, logprobs=1)


def test_native_endpoint_keeps_its_own_errors(server: str) -> None:
    error = post(server, {"prompt": STORY, "temperature": "hot"}).json()["error"]
    assert error["code"] == 400
    assert "param" not in error


def test_native_full_queue_is_still_unavailable(tmp_path: Path) -> None:
    with running_server(tmp_path, "--parallel", "1", "--max-queue", "1") as url, open_stream(url):
        answer = post(url, {"prompt": [STORY, STORY], "n_predict": 1})
    assert answer.status_code == 503
