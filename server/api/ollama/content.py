"""Messages as Ollama's clients write them, and the images that may be in them."""

from collections.abc import Iterator
from typing import Any

from server.chat.media_parts import TextParts, image_part
from server.chat.messages import MAX_MESSAGES, Message, read_messages
from server.http.fields import Fields, as_string, invalid_value, read_member
from slots.errors import InvalidRequest

MESSAGES = "a list of messages"


def read_turns(value: object) -> list[Message]:
    """Returns the messages of `messages`, which may be none. Raises InvalidRequest, which names the member that is
    wrong."""
    if not isinstance(value, list):
        raise invalid_value("messages", MESSAGES, value)
    if len(value) > MAX_MESSAGES:
        raise InvalidRequest("messages", f"expected at most {MAX_MESSAGES} messages, got {len(value)}")
    if not value:
        return []
    calls = _CallIds()
    return read_messages([_convert(f"messages[{index}]", message, calls) for index, message in enumerate(value)])


def with_images(name: str, images: object, text: str) -> str:
    """Returns the content of a message whose images, in base64, come before its text. Raises InvalidRequest, which
    names the image that is wrong."""
    if images is None:
        return text
    if not isinstance(images, list | tuple):
        raise invalid_value(name, "a list of images in base64", images)
    parts = [image_part(f"{name}[{i}]", as_string(f"{name}[{i}]", image)) for i, image in enumerate(images)]
    return TextParts([*parts, text]) if parts else text


class _CallIds:
    """Ids of the calls of a chat. Clients drop those that answers have, and results name only the tool."""

    def __init__(self) -> None:
        self._n_calls = 0
        self._unanswered: list[tuple[str, str]] = []
        """The id and the tool of each."""

    def add(self, call_id: str, tool: str) -> str:
        """Returns the id of a call, a new one if it has none."""
        self._n_calls += 1
        call_id = call_id or f"call_{self._n_calls}"
        self._unanswered.append((call_id, tool))
        return call_id

    def answer(self, call_id: str, tool: str) -> str:
        """Returns the id of the call that a result belongs to, by its own id or by the name of the tool: the oldest one
        that it fits to. Empty if there is none."""
        fitting = (call for call in self._unanswered if call_id in ("", call[0]) and (call_id or tool in ("", call[1])))
        call = next(fitting, None)
        if call is None:
            return call_id
        self._unanswered.remove(call)
        return call[0]


def _convert(name: str, value: object, calls: _CallIds) -> object:
    """Returns a message as OpenAI's clients write it."""
    if not isinstance(value, dict):
        return value
    role = value.get("role")
    role = role.lower() if isinstance(role, str) else role
    message: dict[str, Any] = {"role": role, "content": value.get("content") or ""}
    if isinstance(message["content"], str):
        message["content"] = with_images(f"{name}.images", value.get("images"), message["content"])
    if role == "assistant":
        message["reasoning_content"] = read_member(name, value, "thinking")
        message["tool_calls"] = list(_convert_calls(f"{name}.tool_calls", value.get("tool_calls"), calls))
    if role == "tool":
        tool = read_member(name, value, "tool_name") or read_member(name, value, "name")
        message["tool_call_id"] = calls.answer(read_member(name, value, "tool_call_id"), tool)
        message["name"] = tool
    return message


def _convert_calls(name: str, value: object, calls: _CallIds) -> Iterator[object]:
    if value is None:
        return
    if not isinstance(value, list):
        raise invalid_value(name, "a list of calls", value)
    for index, call in enumerate(value):
        yield _convert_call(f"{name}[{index}]", call, calls)


def _convert_call(name: str, value: object, calls: _CallIds) -> Fields:
    function = value.get("function") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(function, dict):
        raise invalid_value(name, 'an object such as {"function": {"name": ..., "arguments": {...}}}', value)
    tool = as_string(f"{name}.function.name", function.get("name"))
    return {"id": calls.add(read_member(name, value, "id"), tool), "type": "function", "function": function}
