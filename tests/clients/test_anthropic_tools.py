"""Tools with Anthropic's client."""

import json
from typing import Any

import anthropic
import pytest
from anthropic.types import Message, ToolUseBlock

from tests.clients.anthropic_clients import GREEDY, MODEL, anthropic_client, ask, blocks, count, prompt_length, text_of
from tests.server.http_client import post, tokenize

WEATHER: Any = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"enum": ["Paris", "Rome"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
}
TIME: Any = {"name": "get_time", "input_schema": {"type": "object", "properties": {}}, "cache_control": None}
TOOLS = [WEATHER, TIME]
QUESTION: Any = {"role": "user", "content": "How is the weather?"}
ANY = {"type": "any"}


def ask_with_tools(server: str, **options: Any) -> Message:
    return ask(server, **{"messages": [QUESTION], "tools": TOOLS, "tool_choice": ANY, "max_tokens": 300} | options)


def the_call(message: Message) -> ToolUseBlock:
    [block] = message.content
    assert block.type == "tool_use"
    return block


def result_of(call: ToolUseBlock, content: Any, **members: Any) -> Any:
    return {"type": "tool_result", "tool_use_id": call.id, "content": content, **members}


@pytest.mark.parametrize("seed", range(3))
def test_any_tool_is_called_with_input_that_matches(server: str, seed: int) -> None:
    message = ask_with_tools(server, extra_body={"temperature": 1, "seed": seed})
    call = the_call(message)
    assert message.stop_reason == "tool_use"
    assert call.id
    if call.name == "get_weather":
        assert call.input["city"] in ("Paris", "Rome")
        assert 1 <= call.input["days"] <= 9  # type: ignore[operator]
    else:
        assert call.name == "get_time"


def test_named_tool_is_the_one_that_is_called(server: str) -> None:
    assert the_call(ask_with_tools(server, tool_choice={"type": "tool", "name": "get_time"})).name == "get_time"


@pytest.mark.parametrize("choice", [{"type": "none"}, {"type": "auto"}])
def test_without_a_call_there_is_text(server: str, choice: Any) -> None:
    message = ask_with_tools(server, tool_choice=choice, max_tokens=8)
    assert text_of(message)
    assert message.stop_reason == "max_tokens"


@pytest.mark.parametrize("options", [{}, {"disable_parallel_tool_use": True}])
def test_a_turn_has_one_call_unless_more_are_asked_for(server: str, options: Any) -> None:
    assert the_call(ask_with_tools(server, tool_choice=ANY | options, extra_body={"temperature": 1, "seed": 3}))


def test_several_calls_are_several_blocks(server: str) -> None:
    parallel: Any = {"type": "tool", "name": "get_time", "disable_parallel_tool_use": False}
    with anthropic_client(server).messages.stream(
        model=MODEL, messages=[QUESTION], tools=TOOLS, tool_choice=parallel, max_tokens=300, extra_body=GREEDY
    ) as stream:
        events = list(stream)
        final = stream.get_final_message()
    assert len(final.content) > 1
    assert {block.type for block in final.content} == {"tool_use"}
    starts = [event.index for event in events if event.type == "content_block_start"]
    stops = [event.index for event in events if event.type == "content_block_stop"]
    assert starts == stops == list(range(len(final.content)))


def test_calls_are_streamed_piece_by_piece(server: str) -> None:
    choice: Any = {"type": "tool", "name": "get_weather"}
    with anthropic_client(server).messages.stream(
        model=MODEL, messages=[QUESTION], tools=TOOLS, tool_choice=choice, max_tokens=300, extra_body=GREEDY
    ) as stream:
        pieces = [event.partial_json for event in stream if event.type == "input_json"]
        final = stream.get_final_message()
    assert len(pieces) > 2
    call = the_call(final)
    assert json.loads("".join(pieces)) == call.input
    assert final.stop_reason == "tool_use"
    whole = the_call(ask_with_tools(server, tool_choice=choice))
    assert (call.name, call.input) == (whole.name, whole.input)


def test_what_a_tool_says_goes_back_in(server: str) -> None:
    asked = ask_with_tools(server)
    call = the_call(asked)
    said = "It rains cats and dogs."
    conversation = [
        QUESTION,
        {"role": "assistant", "content": asked.content},
        {"role": "user", "content": [result_of(call, said)]},
    ]
    answer = ask_with_tools(server, messages=conversation, tool_choice={"type": "none"}, max_tokens=8)
    assert text_of(answer)
    function = {"name": call.name, "arguments": call.input}
    as_others_say_it = [
        QUESTION,
        {"role": "assistant", "tool_calls": [{"id": call.id, "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": call.id, "content": said},
    ]
    functions = [{"type": "function", "function": TIME | {"parameters": TIME["input_schema"]}}]
    functions.insert(0, {"type": "function", "function": WEATHER | {"parameters": WEATHER["input_schema"]}})
    body = {"messages": as_others_say_it, "tools": functions}
    prompt = post(server, body, "/apply-template").json()["prompt"]
    assert said in prompt
    assert prompt_length(answer) == len(tokenize(server, prompt)) == count(server, conversation, tools=TOOLS)


def test_a_loop_of_two_turns_computes_only_what_is_new(server: str) -> None:
    messages = [QUESTION]
    lengths, computed = [], []
    for said in ("It rains.", "It snows."):
        asked = ask_with_tools(server, messages=messages)
        lengths.append(prompt_length(asked))
        computed.append(asked.usage.input_tokens)
        messages = [
            *messages,
            {"role": "assistant", "content": asked.content},
            {"role": "user", "content": [result_of(the_call(asked), said)]},
        ]
    last = ask_with_tools(server, messages=messages, tool_choice={"type": "none"}, max_tokens=8)
    assert text_of(last)
    assert computed[1] <= lengths[1] - lengths[0]
    assert last.usage.input_tokens <= prompt_length(last) - lengths[1]


BILLED = "x-anthropic-billing-header: cc_version=2.1.101.e51; cc_entrypoint=cli; cch={};"
RULES = "You are an agent that reads files, writes files and runs commands. " * 8


def test_a_header_that_changes_with_each_request_leaves_the_cache_alone(server: str) -> None:
    def system(cch: str) -> Any:
        return [{"type": "text", "text": BILLED.format(cch)}, {"type": "text", "text": RULES}]

    first = ask_with_tools(server, system=system("a5145"))
    said = {"role": "user", "content": [result_of(the_call(first), "It rains.")]}
    messages = [QUESTION, {"role": "assistant", "content": blocks(first)}, said]
    second = ask_with_tools(server, system=system("0f3e2"), messages=messages, tool_choice={"type": "none"})
    n_new = prompt_length(second) - prompt_length(first)
    assert second.usage.input_tokens <= n_new < prompt_length(first)
    assert prompt_length(first) == count(server, [QUESTION], tools=TOOLS, system=RULES)


def test_a_result_may_be_blocks_an_error_or_nothing(server: str) -> None:
    call = the_call(ask_with_tools(server))
    called = {"role": "assistant", "content": [call.model_dump(exclude_none=True)]}

    def length(content: Any, **members: Any) -> int:
        return count(server, [QUESTION, called, {"role": "user", "content": [result_of(call, content, **members)]}])

    block = {"type": "text", "text": "no such city"}
    plain = length("no such city")
    assert length([block]) == plain
    assert length("no such city", is_error=True) == length("Error: no such city") > plain
    assert length([]) == length("") < plain


def test_a_call_that_was_cut_off_is_what_is_there_so_far(server: str) -> None:
    message = ask_with_tools(server, stop_sequences=['"days"'], tool_choice={"type": "tool", "name": "get_weather"})
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", '"days"')
    assert the_call(message).input["city"] in ("Paris", "Rome")


def test_what_cannot_be_parsed_as_a_call_is_text(server: str) -> None:
    message = ask_with_tools(server, stop_sequences=['"name"'])
    assert "<tool_call>" in text_of(message)
    assert message.stop_reason == "stop_sequence"


def test_what_of_a_schema_is_not_enforced_is_said(server: str) -> None:
    odd: Any = {"type": "object", "properties": {"v": {"type": "array", "uniqueItems": True}}}
    answer = anthropic_client(server).messages.with_raw_response.create(
        model=MODEL, messages=[QUESTION], tools=[WEATHER, {"name": "odd", "input_schema": odd}], max_tokens=4
    )
    assert "the parameters of the tool 'odd'" in answer.headers["warning"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tool_choice": {"type": "tool", "name": "fly"}}, "tool_choice.name: expected one of the tools: get_weather"),
        ({"tool_choice": {"type": "always"}}, "tool_choice.type: expected one of auto, any, none, tool"),
        ({"tools": [{"name": "f"}], "tool_choice": {"type": "auto"}}, r"tools\[0\].input_schema"),
        ({"tools": [{"name": "a b", "input_schema": {}}]}, r"tools\[0\].name"),
        ({"tools": [WEATHER, WEATHER]}, r"tools\[1\].name: expected a name that no other tool has"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, r"tools\[0\].type: expected custom"),
        ({"tools": []}, "tools: expected at least one tool"),
    ],
)
def test_wrong_tools_are_refused(server: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match=message):
        ask_with_tools(server, **options)


def test_what_a_tool_of_anthropics_found_is_left_out_with_a_warning(server: str) -> None:
    search = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "weather"}}
    said: Any = {"role": "assistant", "content": [search, {"type": "text", "text": "It rains."}]}
    messages = [QUESTION, said, QUESTION]
    answer = anthropic_client(server).messages.with_raw_response.create(model=MODEL, messages=messages, max_tokens=1)
    assert "messages[1].content[0]: a block of the type 'server_tool_use'" in answer.headers["warning"]
    without: Any = {"role": "assistant", "content": "It rains."}
    assert count(server, messages=messages) == count(server, messages=[QUESTION, without, QUESTION])
