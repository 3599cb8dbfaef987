"""Tools as plain text, for templates that do not support them."""

import json
from typing import Any

from server.chat.template.template import ChatTemplate
from server.chat.tools.call_format import GENERIC_FORMAT
from server.chat.tools.generic_format import describe_tools_in_prompt
from server.chat.tools.output_parser import OutputParser, ToolCallDelta, ToolCallStart
from tests.server.chat.tools.templates import NO_CALLS

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "weather", "description": "Says how it is", "parameters": PARAMETERS},
}
HELLO: dict[str, Any] = {"role": "user", "content": "Rome?"}


def assistant_calls(content: str | None, *names: str) -> dict[str, Any]:
    calls = [
        {"id": name, "type": "function", "function": {"name": name, "arguments": '{"city": "Rome"}'}} for name in names
    ]
    return {"role": "assistant", "content": content, "tool_calls": calls}


def test_the_tools_come_in_a_system_message() -> None:
    system, user = describe_tools_in_prompt([HELLO], [TOOL])
    assert system["role"] == "system"
    assert json.dumps(TOOL["function"], separators=(",", ":")) in str(system["content"])
    assert user == HELLO


def test_the_tools_come_behind_what_the_system_message_says() -> None:
    system, user = describe_tools_in_prompt([{"role": "system", "content": "Be brief."}, HELLO], [TOOL])
    assert str(system["content"]).startswith("Be brief.\n\n")
    assert "weather" in str(system["content"])
    assert user == HELLO


def test_the_example_can_be_read_as_a_call() -> None:
    [system, _] = describe_tools_in_prompt([HELLO], [TOOL])
    pieces = OutputParser(GENERIC_FORMAT, None).feed(str(system["content"]))
    assert [piece.name for piece in pieces if isinstance(piece, ToolCallStart)] == ["function_name"]


def test_earlier_calls_are_text_that_can_be_read_again() -> None:
    [_, _, said] = describe_tools_in_prompt([HELLO, assistant_calls("I look.", "weather", "time")], [TOOL])
    assert "tool_calls" not in said
    pieces = OutputParser(GENERIC_FORMAT, None).feed(str(said["content"]))
    assert [piece.name for piece in pieces if isinstance(piece, ToolCallStart)] == ["weather", "time"]
    assert {piece.text for piece in pieces if isinstance(piece, ToolCallDelta)} == {'{"city": "Rome"}'}
    assert str(said["content"]).startswith("I look.\n<tool_call>")


def test_results_in_a_row_come_in_one_message_of_the_user() -> None:
    results: list[dict[str, Any]] = [
        {"role": "tool", "tool_call_id": name, "content": f"It is {name}"} for name in ("hot", "late")
    ]
    put = describe_tools_in_prompt([HELLO, assistant_calls(None, "hot", "late"), *results], [TOOL])
    assert [message["role"] for message in put] == ["system", "user", "assistant", "user"]
    assert put[-1]["content"] == (
        "<tool_response>\nIt is hot\n</tool_response>\n<tool_response>\nIt is late\n</tool_response>"
    )


def test_without_tools_only_what_was_said_is_put_into_words() -> None:
    result: dict[str, Any] = {"role": "tool", "content": "Hot"}
    put = describe_tools_in_prompt([HELLO, assistant_calls(None, "weather"), result], [])
    assert [message["role"] for message in put] == ["user", "assistant", "user"]


def test_a_template_without_tools_renders_all_of_it() -> None:
    messages = [HELLO, assistant_calls(None, "weather"), {"role": "tool", "tool_call_id": "weather", "content": "Hot"}]
    prompt = ChatTemplate(NO_CALLS, "", "").render(describe_tools_in_prompt(messages, [TOOL]))
    assert "Says how it is" in prompt
    assert '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>' in prompt
    assert "<tool_response>\nHot\n</tool_response>" in prompt
