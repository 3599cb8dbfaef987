"""LLM Engine's completions as bytes; tests/clients/llm_engine/ has what its client makes of them."""

from typing import Any

import pytest
import requests

from server.api.llm_engine.protocol import LlmEngineCompletionBody
from slots.requests.sampling_params import SamplingParams
from tests.conftest import running_server
from tests.server.http_client import SECONDS, STORY, events
from tests.server.program import running

SHORT = {"prompt": STORY, "max_new_tokens": 3, "temperature": 0}
PINGING_PROGRAM = ("-c", """
from server.__main__ import main
from server.generation import endpoint

make_response = endpoint.EventStreamResponse
endpoint.EventStreamResponse = lambda *arguments: make_response(*arguments[:-1], 0.0001)
main()
""")  # fmt: skip


def complete(url: str, model: str | None = "bundled", kind: str = "sync", **fields: Any) -> requests.Response:
    query = {} if model is None else {"model_endpoint_name": model}
    return requests.post(f"{url}/v1/llm/completions-{kind}", json=SHORT | fields, params=query, timeout=SECONDS)


def test_a_stream_is_nothing_but_events_of_tokens(server: str) -> None:
    response = complete(server, kind="stream")
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert [event["output"]["num_completion_tokens"] for event in events(response.content)] == [1, 2, 3]


def test_what_keeps_the_connection_open_is_a_comment(tmp_path: Any) -> None:
    with running(tmp_path, *PINGING_PROGRAM, "--threads", "1") as program:
        body = complete(program.ready_url(), kind="stream", max_new_tokens=300).content
    blocks = body.split(b"\n\n")
    assert b":" in blocks
    assert all(block == b":" or block.startswith(b"data: {") for block in blocks[:-1])


def test_the_body_does_not_decide_whether_it_is_streamed(server: str) -> None:
    assert complete(server, stream=True).json()["output"]["num_completion_tokens"] == 3


def test_without_any_token_there_is_still_a_last_event(server: str) -> None:
    [event] = events(complete(server, kind="stream", max_new_tokens=0).content)
    assert event["output"] == {
        "text": "",
        "finished": True,
        "num_prompt_tokens": 4,
        "num_completion_tokens": 0,
        "token": None,
    }


def test_null_stands_for_the_default(server: str) -> None:
    nulls: dict[str, Any] = dict.fromkeys(
        ("stop_sequences", "top_k", "top_p", "presence_penalty", "guided_json", "guided_choice")
    )
    assert complete(server, **nulls).json()["output"] == complete(server).json()["output"]


def test_samplers_that_are_not_asked_for_are_off() -> None:
    sampling = LlmEngineCompletionBody.parse({"prompt": STORY}).sampling
    only_temperature = SamplingParams(
        temperature=0.2, top_k=-1, top_p=1.0, min_p=0.0, repeat_penalty=1.0, presence_penalty=0.0
    )
    assert sampling == only_temperature


def test_twenty_tokens_are_the_default() -> None:
    assert LlmEngineCompletionBody.parse({"prompt": STORY}).n_predict == 20


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"prompt": None}, "prompt: expected a string, got nothing"),
        ({"prompt": ["a"]}, 'prompt: expected a string, got ["a"]'),
        ({"max_new_tokens": -1}, "max_new_tokens: expected 0 or more, got -1"),
        ({"temperature": 1.5}, "temperature: expected a number from 0 to 1, got 1.5"),
        ({"top_k": 0}, "top_k: expected -1 or a number from 1, got 0"),
        ({"top_k": -2}, "top_k: expected -1 or a number from 1, got -2"),
        ({"top_p": 0}, "top_p: expected a number above 0, up to 1, got 0"),
        ({"presence_penalty": -1}, "presence_penalty: expected a number from 0 to 2, got -1"),
        ({"frequency_penalty": 3}, "frequency_penalty: expected a number from 0 to 2, got 3"),
        ({"stop_sequences": [5]}, "stop_sequences: expected a string or a list of strings, got [5]"),
        ({"stop_sequences": ["a"] * 257}, "stop_sequences: expected at most 256 strings, got 257"),
        ({"return_token_log_probs": 1}, "return_token_log_probs: expected true or false, got 1"),
        ({"include_stop_str_in_output": "x"}, 'include_stop_str_in_output: expected true or false, got "x"'),
        ({"skip_special_tokens": 0}, "skip_special_tokens: expected true or false, got 0"),
        ({"n": 2}, "n: expected 1, got 2"),
        ({"guided_choice": "a"}, 'guided_choice: expected a list of strings, got "a"'),
    ],
)
def test_a_wrong_value_is_named(server: str, fields: dict[str, Any], detail: str) -> None:
    response = complete(server, **fields)
    assert (response.status_code, response.json()) == (400, {"detail": detail})


def test_prompt_and_new_tokens_may_fill_the_context(server: str) -> None:
    assert complete(server, max_new_tokens=2044, stop_sequences=[" "]).status_code == 200
    detail = complete(server, max_new_tokens=2045).json()["detail"]
    assert (
        detail == "max_new_tokens: expected at most 2044, since the prompt has 4 tokens and the context 2048, got 2045"
    )


def test_the_url_has_to_name_a_model(server: str) -> None:
    response = complete(server, model=None)
    assert response.status_code == 400
    assert response.json()["detail"].startswith("model_endpoint_name: expected the name of the model in the URL")


def test_the_name_of_the_file_is_a_name_of_the_model(tmp_path: Any) -> None:
    """The client does not escape a plus sign, which then stands for a space."""
    with running_server(tmp_path, "--alias", "a+b") as url:
        assert [complete(url, model=name).status_code for name in ("a+b", "a b", "bundled", "ab")] == [200] * 3 + [404]
