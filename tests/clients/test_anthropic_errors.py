"""Errors raise the exceptions that users of Anthropic's client catch."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anthropic
import pytest

from tests.clients.anthropic_clients import MODEL, TELL, anthropic_client, ask, count
from tests.conftest import running_server
from tests.server.http_client import post
from tests.server.program import SLOW_PROGRAM, running

KEY = "right"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with one slot, one place in the queue, and a key."""
    folder = tmp_path_factory.mktemp("guarded")
    with running_server(folder, "--parallel", "1", "--max-queue", "1", "--api-key", KEY) as url:
        yield url


def user(*blocks: Any) -> list[Any]:
    return [{"role": "user", "content": list(blocks)}]


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_tokens": -1}, "max_tokens: expected 0 or more, got -1"),
        ({"extra_body": {"temperature": 2}}, "temperature: expected a number from 0 to 1, got 2"),
        ({"messages": []}, "messages: expected a list of at least one message"),
        ({"messages": [{"role": "robot", "content": "a"}]}, r"messages\[0\].role: expected one of user, assistant"),
        ({"messages": [{"role": "user"}]}, r"messages\[0\].content: expected a string or a list of blocks"),
        ({"messages": user({"type": "text"})}, r"messages\[0\].content\[0\].text: expected a string"),
        (
            {"messages": user({"type": "tool_use"})},
            r"messages\[0\].content\[0\].type: expected one of text, image",
        ),
        ({"messages": user(IMAGE)}, r"messages\[0\].content\[0\]: images are not supported"),
        ({"messages": user(PDF)}, r"messages\[0\].content\[0\].source.type: expected text or content"),
        ({"system": [IMAGE]}, r"system\[0\]: images are not supported"),
        ({"thinking": {"type": "deep"}}, "thinking.type: expected one of enabled"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort: expected one of low"),
        ({"extra_body": {"grammar": "root"}}, "grammar: "),
    ],
)
def test_a_wrong_value_is_a_bad_request_that_names_it(server: str, options: Any, message: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match=message) as caught:
        ask(server, **options)
    assert caught.value.type == "invalid_request_error"


def test_an_image_in_a_result_is_named(server: str) -> None:
    result = {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "b"}, IMAGE]}
    with pytest.raises(anthropic.BadRequestError, match=r"messages\[0\].content\[0\].content\[1\]: images"):
        count(server, user(result))


def test_a_prompt_that_is_too_long_has_the_words_that_agents_look_for(server: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match=r"prompt is too long: \d+ tokens > 2048 maximum"):
        ask(server, messages=[{"role": "user", "content": "a " * 5000}])


def test_a_wrong_key_is_an_authentication_error(guarded: str) -> None:
    with pytest.raises(anthropic.AuthenticationError) as caught:
        anthropic_client(guarded, key="wrong").messages.create(model=MODEL, messages=TELL, max_tokens=1)
    assert caught.value.type == "authentication_error"


def test_a_key_is_sent_by_either_header(guarded: str) -> None:
    by_key = anthropic_client(guarded, key=KEY)
    by_token = anthropic.Anthropic(base_url=guarded, auth_token=KEY, max_retries=0)
    for client in (by_key, by_token):
        assert client.messages.count_tokens(model=MODEL, messages=TELL).input_tokens


def test_no_version_of_the_api_has_to_be_named(server: str) -> None:
    assert post(server, {"messages": TELL, "max_tokens": 1}, "/v1/messages").status_code == 200


def test_an_unknown_path_is_not_found(server: str) -> None:
    with pytest.raises(anthropic.NotFoundError, match="there is no endpoint at /v1/messages/batches") as caught:
        anthropic_client(server).messages.batches.list()
    assert caught.value.type == "not_found_error"


def test_a_full_queue_is_an_overload_that_says_when_to_come_back(guarded: str) -> None:
    client = anthropic_client(guarded, key=KEY)
    running = client.messages.create(
        model=MODEL, messages=TELL, max_tokens=1900, stream=True, extra_body={"ignore_eos": True}
    )
    next(iter(running))

    def refusal(_: int) -> anthropic.APIStatusError | None:
        try:
            client.messages.create(model=MODEL, messages=TELL, max_tokens=1)
        except anthropic.APIStatusError as error:
            running.close()
            return error
        return None

    with ThreadPoolExecutor(2) as pool:
        [error] = filter(None, pool.map(refusal, range(2)))
    assert (error.status_code, error.type) == (529, "overloaded_error")
    assert error.response.headers["Retry-After"] == "1"


def test_a_model_that_still_loads_is_unavailable(tmp_path: Path) -> None:
    with running(tmp_path, *SLOW_PROGRAM, "600") as program, pytest.raises(anthropic.APIStatusError) as caught:
        ask(program.url())
    assert (caught.value.status_code, caught.value.type) == (503, "overloaded_error")
