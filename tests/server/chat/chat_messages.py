"""Short constructors for messages of chats."""

from typing import Any

from server.chat.messages import Message, read_messages
from server.chat.template.template import ChatTemplate

BOS, EOS = "<s>", "</s>"
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


def template(source: str) -> ChatTemplate:
    return ChatTemplate(source, BOS, EOS)


def system(text: str) -> Message:
    return {"role": "system", "content": text}


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str, **more: str) -> Message:
    return {"role": "assistant", "content": text, **more}


def assistant_calls(*calls: tuple[str, str, str]) -> Message:
    """Returns the message of calls, each given as id, name and arguments."""
    tool_calls = [{"id": i, "type": "function", "function": {"name": n, "arguments": a}} for i, n, a in calls]
    return {"role": "assistant", "content": None, "tool_calls": tool_calls}


def tool_result(call_id: str, text: str) -> Message:
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def render(source: str, *messages: Message, **more: Any) -> str:
    """Returns the text of messages in the form of a request."""
    return template(source).render(read_messages(list(messages)), **more)
