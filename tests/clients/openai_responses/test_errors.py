"""Errors of responses raise the exceptions that users of OpenAI's client catch."""

import os
import signal
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.clients.openai_clients import openai_client
from tests.clients.openai_responses.asking import TELL, ask, ask_events
from tests.server.http_client import post
from tests.server.program import PROGRAM, running

IMAGE: Any = {"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]}
TOOL: Any = {"type": "function", "name": "f"}
LARGE = {"metadata": {"a": "b" * 513}}


@pytest.mark.parametrize(
    ("options", "param", "message"),
    [
        ({"input": 5}, "input", "expected a string or a list of items, got 5"),
        ({"input": []}, "input", "expected at least one message"),
        ({"input": [{"role": "robot", "content": "a"}]}, "input[0].role", "expected one of user"),
        ({"instructions": 5}, "instructions", "expected a string, got 5"),
        ({"max_output_tokens": -2}, "max_output_tokens", "expected -1 or more"),
        ({"temperature": 2.5}, "temperature", "expected a number from 0 to 2"),
        ({"tools": [{"type": "magic"}]}, "tools[0].type", "expected one of function"),
        ({"tools": [{**TOOL, "parameters": 1}]}, "tools[0].parameters", "expected a JSON schema"),
        ({"tools": [TOOL], "tool_choice": "always"}, "tool_choice", "expected"),
        ({"tool_choice": "required"}, "tools", "expected at least one tool"),
        ({"text": {"format": {"type": "yaml"}}}, "text.format", "expected"),
        ({"text": {"format": {"type": "json_schema", "name": "a"}}}, "text.format.schema", "expected a JSON schema"),
        ({"text": {"verbosity": "none"}}, "text.verbosity", "expected one of low, medium, high"),
        ({"reasoning": {"effort": "maximal"}}, "reasoning.effort", "expected one of none"),
        ({"reasoning": {"summary": "long"}}, "reasoning.summary", "expected one of auto"),
        ({"reasoning": "high"}, "reasoning", "expected an object"),
        ({"include": ["everything"]}, "include[0]", "expected one of message.output_text.logprobs"),
        ({"top_logprobs": 129}, "top_logprobs", "expected a number from 0 to 128"),
        ({"metadata": {"a": 1}}, "metadata.a", "expected a string"),
        (LARGE, "metadata", "expected an object of at most 16 strings"),
        ({"truncation": "middle"}, "truncation", "expected auto or disabled"),
        ({"store": "yes"}, "store", "expected true or false"),
        ({"user": 5}, "user", "expected a string"),
        ({"stream_options": {"include_obfuscation": 1}}, "stream_options.include_obfuscation", "expected true or"),
        ({"extra_body": {"n": 2}}, "n", "expected 1, got 2"),
        ({"extra_body": {"grammar": 'root ::= "a', "tools": []}}, "grammar", ""),
        ({"previous_response_id": "resp_1"}, "previous_response_id", "no response is stored with the id resp_1"),
    ],
)
def test_a_wrong_value_is_a_bad_request_that_names_it(server: str, options: Any, param: str, message: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(server, **options)
    assert caught.value.param == param
    assert f"{param}: {message}" in str(caught.value)


def test_input_is_required(server: str) -> None:
    for path in ("/v1/responses", "/v1/responses/input_tokens"):
        error = post(server, {"model": "any"}, path).json()["error"]
        assert (error["param"], error["type"]) == ("input", "invalid_request_error")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"background": True}, "background: expected false or nothing, got true"),
        ({"conversation": "conv_1"}, "conversation: expected previous_response_id instead"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt: expected instructions and input instead"),
    ],
)
def test_what_is_not_supported_is_said_by_name(server: str, options: Any, message: str) -> None:
    with pytest.raises(openai.APIStatusError, match=message) as caught:
        ask(server, **options)
    assert caught.value.status_code == 501
    assert caught.value.response.headers["X-Should-Retry"] == "false"


def test_a_prompt_that_is_too_long_has_the_code_that_agents_look_for(server: str) -> None:
    for asking in (ask, ask_events):
        with pytest.raises(openai.BadRequestError) as caught:
            asking(server, input="a " * 5000)
        assert (caught.value.code, caught.value.type) == ("context_length_exceeded", "exceed_context_size_error")


@pytest.mark.parametrize(
    ("parameters", "param"),
    [({"limit": 0}, "limit"), ({"limit": 101}, "limit"), ({"order": "up"}, "order"), ({"after": "msg_1"}, "after")],
)
def test_a_wrong_parameter_of_a_list_is_named(server: str, parameters: Any, param: str) -> None:
    response = ask(server)
    with pytest.raises(openai.BadRequestError) as caught:
        openai_client(server).responses.input_items.list(response.id, extra_query=parameters)
    assert caught.value.param == param


def test_a_stored_response_has_no_stream(server: str) -> None:
    response = ask(server)
    with pytest.raises(openai.BadRequestError, match="stream: expected false"):
        openai_client(server).responses.retrieve(response.id, stream=True)


@pytest.mark.parametrize("base", ["/v1", ""])
def test_unknown_paths_below_have_the_same_errors(server: str, base: str) -> None:
    with pytest.raises(openai.NotFoundError, match=f"there is no endpoint at {base}/responses/resp_1/cancel") as caught:
        openai_client(server, base).responses.cancel("resp_1")
    assert caught.value.code == "not_found"


def test_a_failure_midway_is_a_response_that_failed(tmp_path: Path) -> None:
    with running(tmp_path, *PROGRAM, "--shutdown-timeout", "0", "--ignore-eos") as program:
        stream = openai_client(program.ready_url()).responses.create(model="any", input=TELL, stream=True)
        events: list[Any] = []
        for event in stream:
            if not events:
                os.kill(program.process.pid, signal.SIGTERM)
            events.append(event)
    last = events[-1]
    assert (last.type, last.response.status) == ("response.failed", "failed")
    assert last.response.error.code == "server_error"
    assert "shutting down" in last.response.error.message
    assert [event.sequence_number for event in events] == list(range(len(events)))
