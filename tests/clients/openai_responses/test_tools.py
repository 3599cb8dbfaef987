"""Tools of responses with OpenAI's client."""

import json
from typing import Any, Literal

import openai
import pytest
from openai.types.responses import Response
from pydantic import BaseModel

from tests.clients.openai_clients import MODEL, openai_client
from tests.clients.openai_responses.asking import ask, ask_events, count, items, kinds

WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"enum": ["Paris", "Rome"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
}
TIME: Any = {"type": "function", "name": "get_time", "parameters": {"type": "object", "properties": {}}}
PATCH: Any = {"type": "custom", "name": "apply_patch", "description": "Changes files."}
TOOLS = [WEATHER, TIME]
QUESTION: Any = {"role": "user", "content": "How is the weather?"}
NAMED: Any = {"type": "function", "name": "get_weather"}


def ask_with_tools(server: str, **options: Any) -> Response:
    fields = {"input": [QUESTION], "tools": TOOLS, "tool_choice": "required", "max_output_tokens": 300}
    return ask(server, **fields | options)


def the_call(response: Response) -> Any:
    [item] = response.output
    assert item.type == "function_call"
    return item


def check(call: Any) -> None:
    arguments = json.loads(call.arguments)
    if call.name == "get_weather":
        assert arguments["city"] in ("Paris", "Rome")
        assert 1 <= arguments["days"] <= 9
    else:
        assert (call.name, arguments) == ("get_time", {})


@pytest.mark.parametrize("seed", range(3))
def test_required_tools_are_called_with_arguments_that_match(server: str, seed: int) -> None:
    response = ask_with_tools(server, temperature=1, extra_body={"seed": seed})
    call = the_call(response)
    check(call)
    assert (response.status, call.status) == ("completed", "completed")
    assert call.id.startswith("fc_")
    assert call.call_id


def test_named_tool_is_the_one_that_is_called(server: str) -> None:
    assert the_call(ask_with_tools(server, tool_choice={"type": "function", "name": "get_time"})).name == "get_time"


def test_only_allowed_tools_are_called(server: str) -> None:
    allowed: Any = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "get_time"}]}
    assert the_call(ask_with_tools(server, tool_choice=allowed)).name == "get_time"


def test_no_tool_is_called_if_none_may_be(server: str) -> None:
    response = ask_with_tools(server, tool_choice="none", max_output_tokens=8)
    assert [item.type for item in response.output] == ["message"]


def test_there_is_one_call_unless_more_are_asked_for(server: str) -> None:
    options: dict[str, Any] = {"tools": [TIME], "tool_choice": "required"}
    assert the_call(ask_with_tools(server, **options))
    several = ask_with_tools(server, **options, parallel_tool_calls=True)
    assert len(several.output) > 1
    assert {item.type for item in several.output} == {"function_call"}


def test_calls_are_streamed_piece_by_piece(server: str) -> None:
    options: dict[str, Any] = {"input": [QUESTION], "tools": TOOLS, "tool_choice": NAMED, "max_output_tokens": 300}
    events = ask_events(server, **options)
    assert kinds(events)[2:] == [
        *("output_item.added", "function_call_arguments.delta", "function_call_arguments.done"),
        *("output_item.done", "completed"),
    ]
    deltas = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    call = the_call(events[-1].response)
    assert len(deltas) > 2
    assert "".join(deltas) == call.arguments
    assert items(events[-1].response) == items(ask(server, **options))


def test_the_helper_for_streams_collects_a_call(server: str) -> None:
    options: Any = {"input": [QUESTION], "tools": TOOLS, "tool_choice": NAMED, "model": MODEL}
    with openai_client(server).responses.stream(**options) as stream:
        snapshots = [event.snapshot for event in stream if event.type == "response.function_call_arguments.delta"]
        call = the_call(stream.get_final_response())
    assert snapshots[-1] == call.arguments
    check(call)


def test_a_call_that_is_cut_off_is_incomplete(server: str) -> None:
    whole = ask_with_tools(server, tool_choice=NAMED, extra_body={"stop": ["Paris", "Rome"]})
    assert (whole.status, the_call(whole).status, the_call(whole).arguments[-1]) == ("completed", "incomplete", '"')
    assert whole.usage
    limited = ask_with_tools(server, tool_choice=NAMED, max_output_tokens=whole.usage.output_tokens)
    assert (limited.status, the_call(limited).status) == ("incomplete", "incomplete")


class GetWeather(BaseModel):
    city: Literal["Paris", "Rome"]


def test_arguments_are_parsed_with_a_class(server: str) -> None:
    tool = openai.pydantic_function_tool(GetWeather)["function"]
    strict: Any = {"type": "function", **tool}
    response = openai_client(server).responses.parse(
        model=MODEL, input=[QUESTION], tools=[strict], tool_choice="required"
    )
    call = the_call(response)
    assert call.parsed_arguments["city"] in ("Paris", "Rome")


def test_the_loop_comes_back_to_the_model(server: str) -> None:
    conversation: list[Any] = [QUESTION]
    response = ask_with_tools(server, input=conversation)
    before = count(server, input=conversation, tools=TOOLS)
    conversation += response.output
    result = {"type": "function_call_output", "call_id": the_call(response).call_id, "output": "It rains cats."}
    conversation.append(result)
    answer = ask_with_tools(server, input=conversation, tool_choice="none", max_output_tokens=8)
    assert answer.output_text
    assert answer.usage
    assert answer.usage.input_tokens > before
    assert answer.usage.input_tokens_details.cached_tokens >= before - 1


def test_the_loop_goes_on_from_a_stored_response(server: str) -> None:
    first = ask_with_tools(server)
    result: Any = {"type": "function_call_output", "call_id": the_call(first).call_id, "output": "It rains cats."}
    stored = ask(server, previous_response_id=first.id, input=[result], tools=TOOLS, tool_choice="none")
    whole = ask(server, input=[QUESTION, *first.output, result], tools=TOOLS, tool_choice="none")
    assert (items(stored), stored.usage.input_tokens if stored.usage else 0) == (
        items(whole),
        whole.usage.input_tokens if whole.usage else 1,
    )


def test_a_custom_tool_gets_a_text(server: str) -> None:
    options: dict[str, Any] = {
        "input": [QUESTION],
        "tools": [PATCH, TIME],
        "tool_choice": {"type": "custom", "name": "apply_patch"},
        "max_output_tokens": 300,
        "extra_body": {"stop": ["}"]},
    }
    events = ask_events(server, **options)
    [item] = events[-1].response.output
    assert (item.type, item.name) == ("custom_tool_call", "apply_patch")
    streamed = [event.delta for event in events if event.type == "response.custom_tool_call_input.delta"]
    assert "".join(streamed) == item.input
    assert '"input"' not in item.input
    output: Any = {"type": "custom_tool_call_output", "call_id": item.call_id, "output": "Done."}
    assert ask(server, input=[QUESTION, item, output], tools=[PATCH]).output_text


def test_a_tool_in_a_namespace_is_called_in_it(server: str) -> None:
    namespace: Any = {"type": "namespace", "name": "clock", "description": "Time.", "tools": [TIME]}
    call = the_call(ask_with_tools(server, tools=[namespace]))
    assert (call.name, call.namespace) == ("get_time", "clock")
    output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "Noon."}
    assert ask(server, input=[QUESTION, call, output], tools=[namespace]).output_text


def test_what_is_left_out_or_not_enforced_is_said_in_a_header(server: str) -> None:
    odd: Any = {**TIME, "parameters": {"type": "object", "properties": {"v": {"type": "array", "uniqueItems": True}}}}
    search: Any = {"type": "web_search"}
    answer = openai_client(server).responses.with_raw_response.create(
        model=MODEL, input=[QUESTION], tools=[search, odd], max_output_tokens=2
    )
    assert answer.headers["warning"] == (
        "299 - \"tools[0]: a tool of the type 'web_search' is left out, since this server has no such tool; "
        "the parameters of the tool 'get_time': #/properties/v: 'uniqueItems' is not enforced\""
    )
    assert answer.parse().status == "incomplete"


def test_an_answer_is_a_call_or_matches_the_format(server: str) -> None:
    schema = {
        "type": "object",
        "properties": {"color": {"enum": ["red", "blue"]}},
        "required": ["color"],
        "additionalProperties": False,
    }
    text: Any = {"format": {"type": "json_schema", "name": "color", "schema": schema}}
    response = ask_with_tools(server, text=text, tool_choice="none")
    assert json.loads(response.output_text)["color"] in ("red", "blue")
    check(the_call(ask_with_tools(server, text=text)))
