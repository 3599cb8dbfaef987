"""Generic tool format: tools, calls and results as plain text, for templates that do not support them or whose call
format is unknown."""

from collections.abc import Sequence
from itertools import groupby

import orjson

from server.chat.messages import Json, Message, as_object, get_tool_calls
from server.chat.tools.call_format import GENERIC_FORMAT, ToolFormat

_BEFORE_TOOLS = """You can call functions. Their signatures, one in each line within the <tools> tags:
<tools>
"""
_AFTER_TOOLS = """
</tools>

To call a function, write a JSON object with its name and its arguments within <tool_call> tags:
{example}
Each call needs tags of its own. What a function returns comes back within <tool_response> tags."""
_AFTER_TOOLS_OF_OWN_FORMAT = """
</tools>

To call a function, write its name and its arguments in this form:
{example}"""


def describe_tools_in_prompt(
    messages: Sequence[Message],
    tools: Sequence[Json],
    own_format: ToolFormat | None = None,
    default_system_prompt: str = "",
) -> list[Message]:
    """Returns the messages with the tools described in the first one, a system message, which begins with the
    template's default if there was none. `own_format` is the model's, if its template writes calls and results, but no
    tools; without one, calls and results become text."""
    if own_format is not None:
        return _add_description(list(messages), tools, own_format, default_system_prompt)
    plain: list[Message] = []
    for is_result, group in groupby(messages, key=lambda message: message["role"] == "tool"):
        run = list(group)
        plain += [_merge_results(run)] if is_result else map(calls_to_text, run)
    return _add_description(plain, tools, None, default_system_prompt) if tools else plain


def calls_to_text(message: Message, tool_format: ToolFormat | None = None) -> Message:
    """Returns the message with its calls, if any, as text after its content, in the model's format if it is known."""
    calls = get_tool_calls(message)
    if not calls:
        return message
    written = [(call["function"]["name"], call["function"]["arguments"], call["id"]) for call in calls]
    if tool_format and tool_format.arguments:
        written = [(name, orjson.dumps(as_object(arguments)).decode(), call_id) for name, arguments, call_id in written]
    words = (tool_format or GENERIC_FORMAT).write(written)
    content = f"{message['content']}\n{words}" if message["content"] else words
    return {member: value for member, value in message.items() if member != "tool_calls"} | {"content": content}


def result_to_text(message: Message) -> str:
    return f"<tool_response>\n{message['content']}\n</tool_response>"


def _add_description(
    messages: list[Message], tools: Sequence[Json], own_format: ToolFormat | None, default_system_prompt: str
) -> list[Message]:
    after = _AFTER_TOOLS_OF_OWN_FORMAT if own_format else _AFTER_TOOLS
    example = (own_format or GENERIC_FORMAT).write([("function_name", '{"argument": "value"}', "")])
    words = _BEFORE_TOOLS + "\n".join(map(_signature, tools)) + after.format(example=example)
    has_system = bool(messages) and messages[0]["role"] == "system"
    first = str(messages[0]["content"]) if has_system else default_system_prompt
    system: Message = {"role": "system", "content": f"{first}\n\n{words}" if first else words}
    return [(messages[0] | system) if has_system else system, *messages[has_system:]]


def _signature(tool: Json) -> str:
    return orjson.dumps(tool["function"]).decode()


def _merge_results(results: Sequence[Message]) -> Message:
    return {"role": "user", "content": "\n".join(map(result_to_text, results))}
