"""Messages of a chat: every form in which requests may give them, converted to one."""

import json
from typing import Any

import orjson
from pydantic_core import from_json

from server.chat.media_parts import TextParts, audio_part, image_part
from server.http.errors import ApiError
from server.http.fields import Fields, as_string, first_present, invalid_value, read_member
from slots.errors import InvalidRequest

Json = dict[str, object]
Message = dict[str, object]
"""`role` (system, user, assistant or tool), `content` (a string, or None with tool calls or reasoning), and, if given,
`tool_calls`, `tool_call_id`, `name` and `reasoning_content`. A call is
{"id", "type": "function", "function": {"name", "arguments"}} with the arguments as a string, of JSON unless the history
holds a call that was cut off."""

MESSAGES = "a list of at least one message"
MAX_MESSAGES = 4_096
MAX_TOOL_CALLS = 128
"""Of one message."""

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
TEXT_PARTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
"""By the type of a part: the member that holds its text."""
IMAGE_PARTS = ("image_url", "input_image", "image")
AUDIO_PARTS = ("input_audio", "audio")
OTHER_PARTS = {
    "video_url": "videos",
    "video": "videos",
    "file": "files",
    "input_file": "files",
}


def read_messages(value: object, *, name: str = "messages") -> list[Message]:
    """Returns the messages in the field `name` of a request. One without a role is the user's.

    Raises InvalidRequest, which names the member that is wrong, and ApiError (501) for a part that is no text, picture
    or sound.
    """
    if not isinstance(value, list) or not value:
        raise invalid_value(name, MESSAGES, value)
    if len(value) > MAX_MESSAGES:
        raise InvalidRequest(name, f"expected at most {MAX_MESSAGES} messages, got {len(value)}")
    return [_read_message(f"{name}[{index}]", message) for index, message in enumerate(value)]


def get_tool_calls(message: Message) -> list[dict[str, Any]]:
    """Returns the tool calls of a message that was read."""
    calls: Any = message.get("tool_calls") or []
    return list(calls)


def as_object(arguments: str) -> Json:
    """Returns the arguments of a call as an object. What a call that was cut off holds so far is closed; other texts
    become the value of one argument."""
    try:
        value = from_json(arguments, allow_partial="trailing-strings")
    except ValueError:
        value = arguments
    return value if isinstance(value, dict) else {"arguments": arguments}


def arguments_json(arguments: str) -> orjson.Fragment:
    """Returns the arguments of a call as an object on one line, with all digits of their numbers. Those of a call that
    was cut off are closed."""
    for text in (arguments.strip() or "{}", json.dumps(as_object(arguments))):
        try:
            if isinstance(orjson.loads(text), dict):
                return orjson.Fragment(text.replace("\n", " ").replace("\r", " "))
        except orjson.JSONDecodeError:
            continue
    return orjson.Fragment(orjson.dumps({"arguments": arguments}))


def _read_message(name: str, value: object) -> Message:
    if not isinstance(value, dict):
        raise invalid_value(name, "an object with role and content", value)
    role = _read_role(f"{name}.role", value.get("role"))
    message: Message = {"role": role, "content": None}
    if role == "assistant":
        if calls := _read_calls(name, value):
            message["tool_calls"] = calls
        if reasoning := read_member(name, value, "reasoning_content"):
            message["reasoning_content"] = reasoning
    content = value.get("content")
    if content is not None:
        message["content"] = read_content(f"{name}.content", content)
    elif role == "tool" or ("content" in value and len(message) == 2):
        message["content"] = ""  # a tool that returned nothing, an empty answer
    elif len(message) == 2:
        message["content"] = read_content(f"{name}.content", content)
    if role == "tool" and (call_id := read_member(name, value, "tool_call_id")):
        message["tool_call_id"] = call_id
    if called := read_member(name, value, "name"):
        message["name"] = called
    return message


def _read_role(name: str, value: object) -> str:
    if value is None:
        return "user"
    if not isinstance(value, str) or value not in ROLES:
        raise invalid_value(name, f"one of {', '.join(ROLES)}", value)
    return ROLES[value]


def read_content(name: str, value: object) -> str:
    """Returns the text of a message's content, which is TextParts if it was given in parts.

    Raises InvalidRequest, which names `name`, for any other shape, and ApiError (501) for a part that is no text,
    picture or sound.
    """
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise invalid_value(name, "a string or a list of text parts", value)
    return TextParts(_read_part(f"{name}[{index}]", part) for index, part in enumerate(value))


def _read_part(name: str, value: object) -> str:
    """Returns the text of a part; for a picture or sound its marker, which is a MediaPart."""
    if not isinstance(value, dict):
        raise invalid_value(name, 'a part such as {"type": "text", "text": ...}', value)
    kind = value.get("type", "text")
    if kind in IMAGE_PARTS:
        return image_part(name, _read_url(name, value, ("image_url", "image", "url")))
    if kind in AUDIO_PARTS:
        return audio_part(name, _read_url(name, value, ("input_audio", "audio", "audio_url")))
    if not isinstance(kind, str) or kind not in TEXT_PARTS | OTHER_PARTS:
        raise invalid_value(f"{name}.type", "text", kind)
    if kind in OTHER_PARTS:
        raise ApiError(501, f"{name}: {OTHER_PARTS[kind]} are not supported, only text is")
    member = TEXT_PARTS[kind]
    return as_string(f"{name}.{member}", value.get(member))


def _read_url(name: str, part: Fields, members: tuple[str, ...]) -> str:
    """Returns the URL or the data of a part, which is a string or in an object."""
    member = first_present(part, *members)
    value, path = part.get(member), f"{name}.{member}"
    if isinstance(value, dict):
        inner = first_present(value, "url", "data")
        value, path = value.get(inner), f"{path}.{inner}"
    return as_string(path, value)


def _read_calls(name: str, message: Fields) -> list[Json]:
    """A call in the form that preceded tools has no id; the name of its function is used instead, as in the message of
    its result."""
    calls = message.get("tool_calls")
    if calls is None:
        call = message.get("function_call")
        return [] if call is None else [_read_function(f"{name}.function_call", call, None)]
    if not isinstance(calls, list):
        raise invalid_value(f"{name}.tool_calls", "a list of calls", calls)
    if len(calls) > MAX_TOOL_CALLS:
        raise InvalidRequest(f"{name}.tool_calls", f"expected at most {MAX_TOOL_CALLS} calls, got {len(calls)}")
    return [_read_call(f"{name}.tool_calls[{index}]", call) for index, call in enumerate(calls)]


def _read_call(name: str, value: object) -> Json:
    if not isinstance(value, dict):
        raise invalid_value(name, 'an object such as {"id": ..., "type": "function", "function": {...}}', value)
    if value.get("type") not in (None, "function"):
        raise invalid_value(f"{name}.type", "function", value["type"])
    return _read_function(f"{name}.function", value.get("function"), read_member(name, value, "id"))


def _read_function(name: str, value: object, call_id: str | None) -> Json:
    if not isinstance(value, dict):
        raise invalid_value(name, "an object with name and arguments", value)
    called = as_string(f"{name}.name", value.get("name"))
    arguments = _read_arguments(f"{name}.arguments", value.get("arguments"))
    return {"id": call_id or called, "type": "function", "function": {"name": called, "arguments": arguments}}


def _read_arguments(name: str, value: object) -> str:
    """A string stays as it was generated, so that what was computed of it is found again. It may be no JSON: max_tokens
    cuts calls off."""
    if isinstance(value, dict):
        return dump_arguments(name, value)
    if value is None or value == "":
        return "{}"
    return as_string(name, value)


def dump_arguments(name: str, value: Json) -> str:
    """Returns the JSON text of arguments. Raises InvalidRequest for arguments that are too deep."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        raise InvalidRequest(name, "expected arguments that are less deep") from None
