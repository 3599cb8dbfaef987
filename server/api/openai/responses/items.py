"""Items of a response's input, and the messages that chat templates take for them."""

import base64
import binascii
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

import orjson

from server.chat.media_parts import TextParts
from server.chat.messages import MAX_MESSAGES, MAX_TOOL_CALLS, ROLES, Json, Message, read_content
from server.http.fields import as_string, invalid_value, preview, read_member
from slots.errors import InvalidRequest

INPUT = "a string or a list of items"
MESSAGE_ROLES = ("user", "assistant", "system", "developer")
NOT_SHOWN = frozenset(
    {
        *("web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call"),
        *("computer_call", "computer_call_output", "local_shell_call", "local_shell_call_output"),
        *("shell_call", "shell_call_output", "apply_patch_call", "apply_patch_call_output"),
        *("mcp_list_tools", "mcp_approval_request", "mcp_approval_response", "mcp_call"),
        *("tool_search_call", "tool_search_output", "compaction", "compaction_trigger"),
        *("program", "program_output", "additional_tools", "configuration_update"),
    }
)
"""Types of items that stem from tools of OpenAI's own, which agents leave in the history when they change the model."""
ID_PREFIXES = {
    "message": "msg_",
    "reasoning": "rs_",
    "function_call": "fc_",
    "function_call_output": "fco_",
    "custom_tool_call": "ctc_",
    "custom_tool_call_output": "ctco_",
}
NAMESPACE_OF_ALL = "functions"
"""The namespace whose tools have plain names."""

MAX_DEPTH_AROUND = 8
"""Objects and lists around a part of a request in the events of a stream, at most."""

_THOUGHTS = "llama-slots:"
"""How `encrypted_content` of this server begins."""

FindItem = Callable[[str], Json | None]
"""Returns the item of an earlier response by its id, or None if it is not remembered."""


def new_id(kind: str) -> str:
    """Returns an id for an item of the type `kind`."""
    return ID_PREFIXES.get(kind, "item_") + secrets.token_hex(16)


def qualified_name(namespace: str, name: str) -> str:
    """Returns the name by which the model knows a tool in a namespace."""
    return name if namespace in ("", NAMESPACE_OF_ALL) else f"{namespace}.{name}"


def seal_thoughts(text: str) -> str:
    """Returns the `encrypted_content` of thoughts. It is no secret: it gets the thoughts past clients that send nothing
    else of them back."""
    return _THOUGHTS + base64.b64encode(text.encode()).decode()


def unseal_thoughts(sealed: str) -> str:
    """Returns the thoughts in an `encrypted_content`; "" for that of another server, which nobody else can read."""
    if not sealed.startswith(_THOUGHTS):
        return ""
    try:
        return base64.b64decode(sealed.removeprefix(_THOUGHTS), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def read_input(value: object) -> tuple[Json, ...]:
    """Returns the items of `input`, each with a type. Their members are checked by `to_messages`."""
    if isinstance(value, str):
        return ({"type": "message", "role": "user", "content": value},)
    if not isinstance(value, list):
        raise invalid_value("input", INPUT, value)
    if len(value) > MAX_MESSAGES:
        raise InvalidRequest("input", f"expected at most {MAX_MESSAGES} items, got {len(value)}")
    check_depth("input", value)
    return tuple(_read_item(f"input[{index}]", item) for index, item in enumerate(value))


def check_depth(name: str, value: object) -> None:
    """Raises InvalidRequest for a part of a request that is too deep to be a part of the response."""
    nested = value
    for _ in range(MAX_DEPTH_AROUND):
        nested = [nested]
    try:
        orjson.dumps(nested)
    except orjson.JSONEncodeError:
        raise InvalidRequest(name, "expected JSON that is less deep") from None


def _read_item(name: str, value: object) -> Json:
    if not isinstance(value, dict):
        raise invalid_value(name, 'an item such as {"role": "user", "content": ...}', value)
    kind = value.get("type")
    if kind is None:
        kind = "message" if "role" in value else "item_reference"
    known = (*ID_PREFIXES, "item_reference")
    if not isinstance(kind, str) or (kind not in known and kind not in NOT_SHOWN):
        raise invalid_value(f"{name}.type", f"one of {', '.join(known)}", kind)
    return {**value, "type": kind}


def resolve_references(items: Sequence[Json], find: FindItem) -> tuple[Json, ...]:
    """Returns the items with those that they refer to, and an id for each. Raises InvalidRequest for an item that is
    not remembered."""
    resolved = []
    for index, item in enumerate(items):
        if item["type"] == "item_reference":
            name = f"input[{index}].id"
            item_id = as_string(name, item.get("id"))
            found = find(item_id)
            if found is None:
                raise invalid_value(name, "the id of an item of a stored response", item_id)
            resolved.append(found)
        else:
            resolved.append(item if item.get("id") else {**item, "id": new_id(str(item["type"]))})
    return tuple(resolved)


@dataclass(slots=True)
class _Turn:
    """What the model did between two messages of others."""

    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: list[Json] = field(default_factory=list)

    def message(self) -> Iterator[Message]:
        if not (self.texts or self.thoughts or self.calls):
            return
        texts = [text for text in self.texts if text]
        content: str | None = _join(texts)
        message: Message = {"role": "assistant", "content": content or None if self.calls or self.thoughts else content}
        if self.calls:
            message["tool_calls"] = self.calls
        if self.thoughts:
            message["reasoning_content"] = "\n".join(self.thoughts)
        yield message


def to_messages(instructions: str, items: Sequence[Json], n_known: int = 0) -> tuple[list[Message], list[str]]:
    """Returns the messages that the items stand for, after one with the instructions, and warnings that name what the
    model is not shown. What the model said, thought and called in one go is one message, and so is what precedes the
    conversation.

    The first `n_known` items were read before, so that the others are counted from there. Raises InvalidRequest, which
    names the member that is wrong, and ApiError (501) for a part that is not text.
    """
    messages: list[Message] = []
    warnings: list[str] = []
    heads = [instructions] if instructions else []
    turn = _Turn()
    for index, item in zip(count(-n_known), items, strict=False):
        name = f"input[{index}]"
        if item["type"] in NOT_SHOWN:
            warnings.append(f"{name}: an item of the type {preview(item['type'])} is not shown to the model")
        elif _add_to_turn(turn, name, item):
            continue
        else:
            messages += turn.message()
            turn = _Turn()
            message = _read_others(name, item)
            if message["role"] == "system" and not messages:
                heads.append(str(message["content"]))
            else:
                messages.append(message)
    messages += turn.message()
    head: list[Message] = [{"role": "system", "content": "\n\n".join(heads)}] if heads else []
    if not messages and not head:
        raise InvalidRequest("input", "expected at least one message, got none")
    return [*head, *messages], warnings


def _add_to_turn(turn: _Turn, name: str, item: Json) -> bool:
    """Returns whether the item is one that a model makes; adds it to the turn then."""
    match item["type"]:
        case "reasoning":
            turn.thoughts += filter(None, [_read_thoughts(name, item)])
        case "function_call":
            _add_call(turn, name, item, read_member(name, item, "arguments") or "{}")
        case "custom_tool_call":
            given = read_member(name, item, "input")
            _add_call(turn, name, item, orjson.dumps({"input": given}).decode())
        case "message" if item.get("role") == "assistant":
            turn.texts.append(_content_of(name, item))
        case _:
            return False
    return True


def _add_call(turn: _Turn, name: str, item: Json, arguments: str) -> None:
    if len(turn.calls) >= MAX_TOOL_CALLS:
        raise InvalidRequest("input", f"expected at most {MAX_TOOL_CALLS} calls in a turn, got more")
    called = qualified_name(read_member(name, item, "namespace"), as_string(f"{name}.name", item.get("name")))
    call_id = as_string(f"{name}.call_id", item.get("call_id"))
    turn.calls.append({"id": call_id, "type": "function", "function": {"name": called, "arguments": arguments}})


def _read_thoughts(name: str, item: Json) -> str:
    """Returns the text of a reasoning item: its content, else what is sealed in it, else its summary."""
    content, summary = item.get("content"), item.get("summary")
    texts = [*_texts_of(f"{name}.content", content)] if content is not None else []
    sealed = unseal_thoughts(read_member(name, item, "encrypted_content"))
    summaries = [*_texts_of(f"{name}.summary", summary)] if summary is not None else []
    return "\n".join(texts) or sealed or "\n".join(summaries)


def _texts_of(name: str, parts: object) -> Iterator[str]:
    if not isinstance(parts, list):
        raise invalid_value(name, "a list of texts", parts)
    for index, part in enumerate(parts):
        if not isinstance(part, dict):
            raise invalid_value(f"{name}[{index}]", "an object with text", part)
        yield as_string(f"{name}[{index}].text", part.get("text"))


def _read_others(name: str, item: Json) -> Message:
    """Returns the message of a user, a system or a tool. What the parts of a content may be is `read_content`'s
    affair."""
    if item["type"] == "message":
        role = item.get("role")
        if role not in MESSAGE_ROLES:
            raise invalid_value(f"{name}.role", f"one of {', '.join(MESSAGE_ROLES)}", role)
        return {"role": ROLES[str(role)], "content": _content_of(name, item)}
    call_id, output = as_string(f"{name}.call_id", item.get("call_id")), item.get("output")
    content = "" if output is None else read_content(f"{name}.output", output)
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def _content_of(name: str, item: Json) -> str:
    """Returns the content of a message; null is an empty one."""
    content = item.get("content")
    return "" if content is None and "content" in item else read_content(f"{name}.content", content)


def _join(texts: list[str]) -> str:
    return TextParts(texts) if len(texts) > 1 else "".join(texts)
