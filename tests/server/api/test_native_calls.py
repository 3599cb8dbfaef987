"""Calls in a model's own format through HTTP: whole and streamed, in two dialects."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import running_server
from tests.server.chat.tools.templates import PARAMETER_TAGS
from tests.server.http_client import events, post

MESSAGES = [{"role": "user", "content": "Where is the red house?"}]
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "place": {"type": "string", "minLength": 1, "maxLength": 12},
        "color": {"enum": ["red", "blue"]},
        "near": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 9}, "maxItems": 3},
        "is_old": {"type": "boolean"},
    },
    "required": ["place", "color", "near"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "find", "parameters": PARAMETERS}}
CHAT = {"messages": MESSAGES, "tools": [TOOL], "max_tokens": 300, "temperature": 1, "seed": 3}
CHOICES: list[Any] = ["required", {"type": "function", "function": {"name": "find"}}]


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("native")
    (folder / "template").write_text(PARAMETER_TAGS.source)
    with running_server(folder, "--chat-template-file", str(folder / "template")) as url:
        yield url


def assert_right(arguments: Any) -> None:
    assert 1 <= len(arguments["place"]) <= 12
    assert arguments["color"] in ("red", "blue")
    assert all(number in range(10) for number in arguments["near"])
    assert arguments.get("is_old") in (None, True, False)


@pytest.mark.parametrize("choice", CHOICES)
def test_a_required_call_is_json_for_the_client(native: str, choice: Any) -> None:
    [answer] = post(native, CHAT | {"tool_choice": choice}, "/v1/chat/completions").json()["choices"]
    assert answer["finish_reason"] == "tool_calls"
    [call] = answer["message"]["tool_calls"]
    assert call["function"]["name"] == "find"
    assert_right(json.loads(call["function"]["arguments"]))


@pytest.mark.parametrize("choice", CHOICES)
def test_a_stream_has_the_same_call(native: str, choice: Any) -> None:
    body = CHAT | {"tool_choice": choice}
    [answer] = post(native, body, "/v1/chat/completions").json()["choices"]
    data = post(native, body | {"stream": True}, "/v1/chat/completions").content.removesuffix(b"data: [DONE]\n\n")
    parts = [call for event in events(data) for call in event["choices"][0]["delta"].get("tool_calls", ())]
    assert len(parts) > 3
    streamed = "".join(part["function"].get("arguments", "") for part in parts)
    assert streamed == answer["message"]["tool_calls"][0]["function"]["arguments"]


def test_anthropic_s_dialect_gets_an_object(native: str) -> None:
    tool = {"name": "find", "input_schema": PARAMETERS}
    body = CHAT | {"tools": [tool], "tool_choice": {"type": "tool", "name": "find"}}
    [block] = post(native, body, "/v1/messages").json()["content"]
    assert (block["type"], block["name"]) == ("tool_use", "find")
    assert_right(block["input"])


def test_a_call_of_an_earlier_turn_is_written_as_it_was_generated(native: str) -> None:
    arguments = {"place": "the <b>old</b>\nhouse", "color": "red", "near": [1, 2]}
    call = {"id": "c", "type": "function", "function": {"name": "find", "arguments": json.dumps(arguments)}}
    history = [*MESSAGES, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "content": "here"}]
    prompt = post(native, {"messages": history, "tools": [TOOL]}, "/apply-template").json()["prompt"]
    assert "<parameter=place>\nthe <b>old</b>\nhouse\n</parameter>\n<parameter=color>\nred\n</parameter>" in prompt


def test_what_is_not_enforced_is_said(native: str) -> None:
    names = list(PARAMETERS["properties"])
    few = PARAMETERS | {"required": names, "maxProperties": len(names)}
    loose: Any = {"type": "function", "function": {"name": "find", "parameters": few}}
    response = post(native, CHAT | {"tools": [loose], "max_tokens": 1}, "/v1/chat/completions")
    assert '"maxProperties" is not enforced'.replace('"', "'") in response.headers["Warning"]
    loose["function"]["strict"] = True
    response = post(native, CHAT | {"tools": [loose]}, "/v1/chat/completions")
    assert response.status_code == 400
    assert "maxProperties" in response.json()["error"]["message"]
