"""Tools in words, for templates that know nothing of them, or write calls in a way that is not understood."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import orjson

from server.chat.messages import Json, Message
from server.tools.tool_format import GENERIC

_BEFORE_TOOLS = """You can call functions. Their signatures, one in each line within the <tools> tags:
<tools>
"""
_AFTER_TOOLS = """
</tools>

To call a function, write a JSON object with its name and its arguments within <tool_call> tags:
{example}
Each call needs tags of its own. What a function returns comes back within <tool_response> tags."""


def with_tools_in_words(messages: Sequence[Message], tools: Sequence[Json]) -> list[Message]:
    """Returns the messages with the tools described in the system message, which comes first, and with earlier calls
    and their results as text in the generic format. Without tools nothing is described."""
    put: list[Message] = []
    for is_result, group in groupby(messages, key=lambda message: message["role"] == "tool"):
        run = list(group)
        put += [_results(run)] if is_result else map(_without_calls, run)
    return _described(put, tools) if tools else put


def _described(messages: list[Message], tools: Sequence[Json]) -> list[Message]:
    words = _BEFORE_TOOLS + "\n".join(map(_signature, tools)) + _AFTER_TOOLS.format(example=_example())
    if messages and messages[0]["role"] == "system":
        return [messages[0] | {"content": f"{messages[0]['content']}\n\n{words}"}, *messages[1:]]
    return [{"role": "system", "content": words}, *messages]


def _signature(tool: Json) -> str:
    return orjson.dumps(tool["function"]).decode()


def _example() -> str:
    return GENERIC.write([("function_name", '{"argument": "value"}', "")])


def _without_calls(message: Message) -> Message:
    calls = list(_calls_of(message))
    if not calls:
        return message
    written = GENERIC.write(calls)
    content = f"{message['content']}\n{written}" if message["content"] else written
    return {member: value for member, value in message.items() if member != "tool_calls"} | {"content": content}


def _calls_of(message: Message) -> Iterator[tuple[str, str, str]]:
    calls: Any = message.get("tool_calls") or []
    for call in calls:
        yield call["function"]["name"], call["function"]["arguments"], call["id"]


def _results(results: Sequence[Message]) -> Message:
    texts = [f"<tool_response>\n{result['content']}\n</tool_response>" for result in results]
    return {"role": "user", "content": "\n".join(texts)}
