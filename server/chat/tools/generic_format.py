"""Generic tool format: tools, calls and results as plain text, for templates that do not support them or whose call
format is unknown."""

from collections.abc import Sequence
from itertools import groupby

import orjson

from server.chat.messages import Json, Message, get_tool_calls
from server.chat.tools.call_format import GENERIC_FORMAT

_BEFORE_TOOLS = """You can call functions. Their signatures, one in each line within the <tools> tags:
<tools>
"""
_AFTER_TOOLS = """
</tools>

To call a function, write a JSON object with its name and its arguments within <tool_call> tags:
{example}
Each call needs tags of its own. What a function returns comes back within <tool_response> tags."""


def describe_tools_in_prompt(messages: Sequence[Message], tools: Sequence[Json]) -> list[Message]:
    """Returns the messages with the tools described in the first one, a system message, and with calls and results as
    text. Without tools no description is added."""
    plain: list[Message] = []
    for is_result, group in groupby(messages, key=lambda message: message["role"] == "tool"):
        run = list(group)
        plain += [_merge_results(run)] if is_result else map(calls_to_text, run)
    return _add_description(plain, tools) if tools else plain


def calls_to_text(message: Message) -> Message:
    """Returns the message with its calls, if any, as text after its content."""
    calls = get_tool_calls(message)
    if not calls:
        return message
    words = GENERIC_FORMAT.write(
        [(call["function"]["name"], call["function"]["arguments"], call["id"]) for call in calls]
    )
    content = f"{message['content']}\n{words}" if message["content"] else words
    return {member: value for member, value in message.items() if member != "tool_calls"} | {"content": content}


def result_to_text(message: Message) -> str:
    return f"<tool_response>\n{message['content']}\n</tool_response>"


def _add_description(messages: list[Message], tools: Sequence[Json]) -> list[Message]:
    words = _BEFORE_TOOLS + "\n".join(map(_signature, tools)) + _AFTER_TOOLS.format(example=_example())
    if messages and messages[0]["role"] == "system":
        return [messages[0] | {"content": f"{messages[0]['content']}\n\n{words}"}, *messages[1:]]
    return [{"role": "system", "content": words}, *messages]


def _signature(tool: Json) -> str:
    return orjson.dumps(tool["function"]).decode()


def _example() -> str:
    return GENERIC_FORMAT.write([("function_name", '{"argument": "value"}', "")])


def _merge_results(results: Sequence[Message]) -> Message:
    return {"role": "user", "content": "\n".join(map(result_to_text, results))}
