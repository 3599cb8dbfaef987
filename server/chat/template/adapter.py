"""Adapter: rewrites messages for templates that do not support all of them."""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice, takewhile
from typing import Any

from server.chat.media_parts import TextParts
from server.chat.messages import Json, Message, as_object, get_tool_calls
from server.chat.template.capabilities import Capabilities
from server.chat.tools.call_format import ToolFormat
from server.chat.tools.generic_format import calls_to_text, result_to_text

SHORT_ID_LENGTH = 9


def adapt_messages(
    messages: Sequence[Message], capabilities: Capabilities, text_format: ToolFormat | None = None
) -> list[Message]:
    """Returns the messages in the form that a template with these capabilities takes. Calls that it does not support
    become text, in `text_format` if that is known."""
    if capabilities.supports_tool_calls and not capabilities.supports_parallel_tool_calls:
        messages = list(_split_parallel_calls(messages))
    return [
        _adapt_message(message, capabilities)
        for message in _merge_unsupported_roles(messages, capabilities, text_format)
    ]


def _split_parallel_calls(messages: Sequence[Message]) -> Iterator[Message]:
    """Yields a message of its own for each of several calls, followed by the call's result."""
    index = 0
    while index < len(messages):
        message = messages[index]
        index += 1
        calls = get_tool_calls(message)
        if len(calls) < 2:
            yield message
            continue
        results = list(takewhile(lambda following: following["role"] == "tool", islice(messages, index, None)))
        index += len(results)
        for number, call in enumerate(calls):
            yield message | {"tool_calls": [call], "content": None if number else message["content"]}
            yield from (result for result in results if result.get("tool_call_id") == call["id"])
        ids = [call["id"] for call in calls]
        yield from (result for result in results if result.get("tool_call_id") not in ids)


def _merge_unsupported_roles(
    messages: Sequence[Message], capabilities: Capabilities, text_format: ToolFormat | None
) -> list[Message]:
    """Moves the text of unsupported system messages and tool results into the next user message, or into one of its
    own, so that user and assistant still alternate."""
    merged: list[Message] = []
    pending: list[str] = []
    for message in messages:
        text = _unsupported_text(message, capabilities)
        if text is not None:
            pending.append(text)
            continue
        if pending and message["role"] == "user":
            message = message | {"content": "\n\n".join([*pending, str(message["content"])])}  # noqa: PLW2901
        elif pending:
            _append_to_user(merged, pending)
        pending = []
        merged.append(message if capabilities.supports_tool_calls else calls_to_text(message, text_format))
    if pending:
        _append_to_user(merged, pending)
    return merged


def _unsupported_text(message: Message, capabilities: Capabilities) -> str | None:
    """Returns the text of a message whose role the template does not support; None if it does."""
    if message["role"] == "system" and not capabilities.supports_system:
        return str(message["content"])
    if message["role"] == "tool" and not capabilities.supports_tool_results:
        return result_to_text(message)
    return None


def _append_to_user(merged: list[Message], texts: list[str]) -> None:
    if merged and merged[-1]["role"] == "user":
        texts = [str(merged.pop()["content"]), *texts]
    merged.append({"role": "user", "content": "\n\n".join(texts)})


def _adapt_message(message: Message, capabilities: Capabilities) -> Message:
    # Templates that concatenate content would write null as "None".
    content = message["content"] or ""
    is_parted = isinstance(content, TextParts) and message["role"] == "user" and capabilities.supports_typed_content
    if capabilities.needs_typed_content or is_parted:
        # Media are within one text: templates would put their own tokens beside them, as the projector does.
        texts = content.parts if isinstance(content, TextParts) and not content.media else (str(content),)
        content = [{"type": "text", "text": text} for text in texts]
    adapted = message | {"content": content}
    if calls := get_tool_calls(message):
        adapted["tool_calls"] = [_adapt_call(call, capabilities) for call in calls]
    if capabilities.needs_short_ids and "tool_call_id" in message:
        adapted["tool_call_id"] = _short_id(str(message["tool_call_id"]))
    return adapted


def _adapt_call(call: Json, capabilities: Capabilities) -> Json:
    function: Any = call["function"]
    if capabilities.arguments_as == "object":
        function = function | {"arguments": as_object(function["arguments"])}
    call_id = _short_id(str(call["id"])) if capabilities.needs_short_ids else call["id"]
    return call | {"id": call_id, "function": function}


def _short_id(call_id: str) -> str:
    if len(call_id) == SHORT_ID_LENGTH and call_id.isalnum():
        return call_id
    return hashlib.sha256(call_id.encode()).hexdigest()[:SHORT_ID_LENGTH]
