"""Tool calls with OpenAI's client."""

import json
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionMessageFunctionToolCall

from tests.clients.openai_clients import MODEL, openai_client
from tests.conftest import running_server
from tests.server.http_client import post

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"enum": ["Paris", "Rome"]},
                "days": {"type": "integer", "minimum": 1, "maximum": 9},
            },
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}
TIME: Any = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}}
ASK: list[Any] = [{"role": "user", "content": "How is the weather?"}]


def ask(server: str, **options: Any) -> ChatCompletion:
    fields: dict[str, Any] = {"messages": ASK, "tools": [WEATHER, TIME], "max_tokens": 200, "temperature": 1, "seed": 1}
    answer: ChatCompletion = openai_client(server).chat.completions.create(model=MODEL, **fields | options)
    return answer


def the_call(answer: ChatCompletion) -> ChatCompletionMessageFunctionToolCall:
    calls = answer.choices[0].message.tool_calls
    assert calls
    assert isinstance(calls[0], ChatCompletionMessageFunctionToolCall)
    return calls[0]


def check_arguments(name: str, arguments: str) -> None:
    given = json.loads(arguments)
    if name == "get_weather":
        assert given["city"] in ("Paris", "Rome")
        assert 1 <= given["days"] <= 9
    else:
        assert name == "get_time"


@pytest.mark.parametrize("seed", range(4))
def test_required_tools_are_called_with_arguments_that_match(server: str, seed: int) -> None:
    answer = ask(server, tool_choice="required", parallel_tool_calls=False, seed=seed)
    call = the_call(answer)
    assert answer.choices[0].finish_reason == "tool_calls"
    assert call.type == "function"
    assert call.id
    check_arguments(call.function.name, call.function.arguments)


def test_named_tool_is_the_one_that_is_called(server: str) -> None:
    choice = {"type": "function", "function": {"name": "get_time"}}
    answer = ask(server, tool_choice=choice)
    calls = answer.choices[0].message.tool_calls
    assert calls
    assert [call.function.name for call in calls if call.type == "function"] == ["get_time"]


def test_one_keyword_of_one_tool_does_not_refuse_the_others(server: str) -> None:
    odd = {"type": "object", "properties": {"v": {"type": "array", "uniqueItems": True}}}
    tool: Any = {"type": "function", "function": {"name": "odd", "parameters": odd}}
    answer = openai_client(server).chat.completions.with_raw_response.create(
        model=MODEL, messages=ASK, tools=[WEATHER, tool], max_tokens=4
    )
    said = "the parameters of the tool 'odd': #/properties/v: 'uniqueItems' is not enforced"
    assert answer.headers["warning"] == f'299 - "{said}"'
    strict: Any = {"type": "function", "function": {"name": "odd", "parameters": odd, "strict": True}}
    with pytest.raises(openai.BadRequestError, match='the keyword "uniqueItems" of the schema'):
        ask(server, tools=[WEATHER, strict])


def test_without_parallel_calls_there_is_one(server: str) -> None:
    answer = ask(server, tool_choice="required", parallel_tool_calls=False)
    assert len(answer.choices[0].message.tool_calls or ()) == 1


def test_no_tool_is_called_if_none_may_be(server: str) -> None:
    answer = ask(server, tool_choice="none", max_tokens=8)
    message = answer.choices[0].message
    assert message.tool_calls is None
    assert message.content


def test_tools_are_described_to_the_model(server: str) -> None:
    prompt = post(server, {"messages": ASK, "tools": [WEATHER]}, "/apply-template").json()["prompt"]
    assert "get_weather" in prompt
    assert "The weather in a city." in prompt


def test_calls_are_streamed_piece_by_piece(server: str) -> None:
    stream = openai_client(server).chat.completions.create(
        model=MODEL, messages=ASK, tools=[WEATHER], tool_choice="required", parallel_tool_calls=False, stream=True
    )
    names, ids, arguments, reason, content = [], [], [], None, ""
    for chunk in stream:
        choice = chunk.choices[0]
        content += choice.delta.content or ""
        reason = choice.finish_reason or reason
        for call in choice.delta.tool_calls or ():
            assert call.index == 0
            assert call.function
            names += [call.function.name] if call.function.name else []
            ids += [call.id] if call.id else []
            arguments += [call.function.arguments] if call.function.arguments else []
    assert (names, reason, content, len(ids)) == (["get_weather"], "tool_calls", "", 1)
    assert len(arguments) > 2
    check_arguments("get_weather", "".join(arguments))


def test_call_that_a_stop_string_cuts_off_is_not_one_to_carry_out(server: str) -> None:
    options: dict[str, Any] = {"tools": [WEATHER], "tool_choice": "required", "stop": ["Paris", "Rome"]}
    answer = ask(server, **options)
    assert the_call(answer).function.arguments.endswith('"')
    assert answer.choices[0].finish_reason == "stop"
    *_, last = openai_client(server).chat.completions.create(model=MODEL, messages=ASK, stream=True, **options)
    assert last.choices[0].finish_reason == "stop"


def test_tool_needs_no_description_where_the_template_writes_one(tmp_path: Path) -> None:
    (tmp_path / "template").write_text(
        "{% for tool in tools or [] %}{{ tool.function.name + ': ' + tool.function.description }}\n{% endfor %}"
        "{% for message in messages %}{{ message.role + ': ' + message.content }}\n"
        "{% for call in message.tool_calls or [] %}<call>{{ call.function | tojson }}</call>{% endfor %}{% endfor %}"
    )
    with running_server(tmp_path, "--chat-template-file", str(tmp_path / "template")) as url:
        body = {"messages": ASK, "tools": [TIME]}
        assert post(url, body, "/apply-template").json()["prompt"].startswith("get_time: \n")


def test_what_a_tool_says_goes_back_in(server: str) -> None:
    call = the_call(ask(server, tool_choice="required", parallel_tool_calls=False))
    answer_message = ask(server, tool_choice="required", parallel_tool_calls=False).choices[0].message
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": "It rains cats and dogs."}
    conversation = [*ASK, answer_message.model_dump(exclude_none=True), result]
    prompt = post(server, {"messages": conversation, "tools": [WEATHER]}, "/apply-template").json()["prompt"]
    assert "It rains cats and dogs." in prompt
    assert f'"{call.function.name}"' in prompt
    answer = ask(server, messages=conversation, tool_choice="none", max_tokens=8)
    assert answer.choices[0].message.content


def test_strict_tool_of_a_helper_is_parsed(server: str) -> None:
    strict: Any = {**WEATHER, "function": {**WEATHER["function"], "strict": True}}
    answer = openai_client(server).chat.completions.parse(
        model=MODEL, messages=ASK, tools=[strict], tool_choice="required", parallel_tool_calls=False, max_tokens=200
    )
    calls = answer.choices[0].message.tool_calls
    assert calls
    parsed: Any = calls[0].function.parsed_arguments
    assert parsed["city"] in ("Paris", "Rome")


COLOR: Any = {
    "type": "json_schema",
    "json_schema": {
        "name": "color",
        "schema": {
            "type": "object",
            "properties": {"color": {"enum": ["red", "blue"]}},
            "required": ["color"],
            "additionalProperties": False,
        },
    },
}


def test_an_answer_is_a_call_or_matches_the_response_format(server: str) -> None:
    answers = [ask(server, response_format=COLOR, parallel_tool_calls=False, seed=seed) for seed in range(8)]
    contents = []
    for answer in answers:
        choice = answer.choices[0]
        if choice.finish_reason == "tool_calls":
            call = the_call(answer)
            check_arguments(call.function.name, call.function.arguments)
        else:
            contents.append(json.loads(choice.message.content or "")["color"])
    assert set(contents) <= {"red", "blue"}


def test_tools_that_may_not_be_called_leave_the_response_format_alone(server: str) -> None:
    content = ask(server, response_format=COLOR, tool_choice="none").choices[0].message.content
    assert json.loads(content or "")["color"] in ("red", "blue")


def test_a_call_that_is_required_needs_no_other_answer(server: str) -> None:
    answer = ask(server, response_format=COLOR, tool_choice="required", parallel_tool_calls=False)
    assert answer.choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tool_choice": {"type": "function", "function": {"name": "fly"}}}, "fly"),
        ({"tool_choice": "always"}, "tool_choice"),
        ({"tools": [{"type": "function", "function": {}}]}, r"tools\[0\].function.name"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"not": {}}, "strict": True}}]},
            '"not"',
        ),
        ({"extra_body": {"grammar": 'root ::= "a"'}}, "grammar"),
        ({"functions": [{"name": "f"}]}, "functions: expected tools"),
    ],
)
def test_wrong_tools_are_refused(server: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(openai.BadRequestError, match=message):
        ask(server, **options)
