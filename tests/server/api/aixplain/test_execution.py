"""POST /api/v2/execute/{model}: what a body says, and the answer."""

from typing import Any

import pytest

from tests.server.api.aixplain.aixplain_client import TELL, V2, answer, chat, get_error, refusal
from tests.server.http_client import Json, post

USER = {"role": "user", "content": TELL}
HISTORY = [{"role": "user", "content": "Hello!"}, {"role": "assistant", "content": "Hello, how are you?"}]
TOOL = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {"at": {"enum": ["cat"]}}}},
}


def is_answer_to(url: str, fields: Json, messages: list[Json]) -> bool:
    found, expected = answer(url, **fields), chat(url, messages)
    texts = found["data"], expected["choices"][0]["message"]["content"]
    n_prompt_tokens = {one["usage"]["prompt_tokens"] for one in (found, expected)}
    return texts[0] == texts[1] and len(n_prompt_tokens) == 1


def test_answer_has_what_the_sdk_shows(server: str) -> None:
    found = answer(server)
    assert found["data"].startswith("Once upon a time")
    assert found["details"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": found["data"], "refusal": None},
            "logprobs": None,
            "finish_reason": "length",
        }
    ]
    usage = found["usage"]
    assert usage["prompt_tokens"] + usage["completion_tokens"] == usage["total_tokens"]
    assert usage["completion_tokens"] == 8
    assert found["usedCredits"] == 0
    assert 0 < found["runTime"] < 60
    assert not found.keys() & {"error", "error_message"}


@pytest.mark.parametrize(
    ("fields", "messages"),
    [
        ({}, [USER]),
        ({"data": None, "text": TELL}, [USER]),
        ({"context": "You are a bear."}, [{"role": "system", "content": "You are a bear."}, USER]),
        ({"history": HISTORY}, [*HISTORY, USER]),
        ({"history": []}, [USER]),
        ({"prompt": "Please answer:"}, [{"role": "user", "content": f"Please answer:\n{TELL}"}]),
        ({"prompt": "Please: "}, [{"role": "user", "content": f"Please: {TELL}"}]),
        ({"data": [*HISTORY, USER]}, [*HISTORY, USER]),
        ({"data": [*HISTORY, USER], "prompt": "Now:"}, [*HISTORY, {"role": "user", "content": f"Now:\n{TELL}"}]),
        ({"data": None, "messages": [*HISTORY, USER]}, [*HISTORY, USER]),
        (
            {"context": "You are a bear.", "history": HISTORY, "prompt": "Please:"},
            [
                {"role": "system", "content": "You are a bear."},
                *HISTORY,
                {"role": "user", "content": f"Please:\n{TELL}"},
            ],
        ),
    ],
)
def test_fields_make_up_a_chat(server: str, fields: Json, messages: list[Json]) -> None:
    assert is_answer_to(server, fields, messages)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (42, "42"),
        (True, "true"),
        (None, "null"),
        ([1, "a"], '[1,"a"]'),
        ([], "[]"),
        ({"a": {"b": 1}}, '{"a":{"b":1}}'),
        ([{"a": 1}], '[{"a":1}]'),
        ("", ""),
    ],
)
def test_data_may_be_any_json(server: str, data: Any, text: str) -> None:
    assert is_answer_to(server, {"data": data}, [{"role": "user", "content": text}])


def test_parameters_are_members_of_the_body_and_replace_others(server: str) -> None:
    found = answer(server, max_tokens=8, parameters={"max_tokens": 3, "context": "You are a bear."})
    assert found["usage"]["completion_tokens"] == 3
    assert found["data"] == answer(server, max_tokens=3, context="You are a bear.")["data"]


def test_defaults_are_those_of_the_sdks_documentation(server: str) -> None:
    found = answer(server, max_tokens=None, temperature=None, ignore_eos=True)
    assert found["usage"]["completion_tokens"] == 128
    assert found["data"] == answer(server, max_tokens=128, temperature=0.001, top_p=1, ignore_eos=True)["data"]


def test_options_of_the_server_apply(server: str) -> None:
    found = answer(server, temperature=1.5, top_p=0.9, seed=3, max_tokens=12, stop=["."], n=2)
    texts = [detail["message"]["content"] for detail in found["details"]]
    assert [detail["index"] for detail in found["details"]] == [0, 1]
    assert found["data"] == texts[0] != texts[1]
    again = answer(server, temperature=1.5, top_p=0.9, seed=3, max_tokens=12, stop=["."])
    assert again["data"] == texts[0]
    assert answer(server, n_probs=1)["details"][0]["logprobs"]["content"][0]["logprob"] <= 0


@pytest.mark.parametrize("response_format", ["json_object", {"type": "json_object"}, '{"type": "json_object"}'])
def test_format_is_named_or_described(server: str, response_format: Any) -> None:
    assert answer(server, response_format=response_format)["data"].startswith("{")


def test_format_may_be_text(server: str) -> None:
    assert answer(server, response_format="text")["data"] == answer(server)["data"]


def test_schema_is_matched(server: str) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "choice", "schema": {"enum": ["yes", "no"]}}}
    assert answer(server, response_format=schema)["data"] in ('"yes"', '"no"')


def test_tools_are_called(server: str) -> None:
    detail = answer(server, tools=[TOOL], tool_choice="required", max_tokens=100)["details"][0]
    [call] = detail["message"]["tool_calls"]
    assert call["function"]["name"] == "look"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"max_tokens": -2}, "max_tokens: expected -1 or more, got -2"),
        ({"parameters": {"max_tokens": -2}}, "max_tokens: expected -1 or more, got -2"),
        ({"parameters": [1]}, "parameters: expected an object, got [1]"),
        ({"context": 5}, "context: expected a string, got 5"),
        ({"history": "Hello!"}, 'history: expected a list of at least one message, got "Hello!"'),
        ({"history": [{"role": "bear"}]}, "history[0].role: expected one of system, developer, user,"),
        ({"data": [{"role": "user", "content": 5}]}, "data[0].content: expected a string or a list of text parts"),
        ({"options": {"stream": 1}}, "options.stream: expected true or false, got 1"),
        ({"options": {"stream": True}, "n": 2}, "n: expected 1 in a stream, got 2"),
        ({"response_format": "xml"}, "response_format: expected "),
        ({"data": "a " * 5000}, "data: has 5"),
    ],
)
def test_wrong_field_is_named(server: str, fields: Json, error: str) -> None:
    assert refusal(server, **fields).startswith(error)


def test_body_without_any_input_is_refused(server: str) -> None:
    response = post(server, {"context": "You are a bear."}, V2)
    assert response.status_code == 400
    assert get_error(response) == "data: expected a text, any other JSON value, or a list of messages, got nothing"
