"""Messages whose contents are lists of blocks: text, thinking, calls of tools and their results. They are converted to
the messages that chat templates take."""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from server.chat.media_parts import MediaPart, TextParts, image_part
from server.chat.messages import MAX_MESSAGES, MAX_TOOL_CALLS, MESSAGES, Json, Message, dump_arguments
from server.http.errors import ApiError
from server.http.fields import Fields, as_boolean, as_string, invalid_value, preview, read_member
from slots.errors import InvalidRequest

ROLES = ("user", "assistant", "system")
BLOCKS = {
    "user": ("text", "image", "document", "search_result", "tool_result"),
    "assistant": ("text", "thinking", "redacted_thinking", "tool_use"),
    "system": ("text",),
}
"""By role: the types of blocks that its content may have."""
RESULT_BLOCKS = ("text", "image", "document", "search_result", "tool_reference")
"""Of the content of a tool's result."""
NOT_SHOWN = frozenset(
    {
        *("server_tool_use", "web_search_tool_result", "web_fetch_tool_result", "tool_search_tool_result"),
        *("code_execution_tool_result", "bash_code_execution_tool_result", "text_editor_code_execution_tool_result"),
        *("mcp_tool_use", "mcp_tool_result", "mcp_tool_listing", "advisor_tool_result", "compaction", "fallback"),
    }
)
"""Types of an assistant's blocks that stem from tools of Anthropic's own, which agents leave in the history when they
change the model."""

_BILLING_HEADER = re.compile(r"\s*x-anthropic-billing-header:(?:[ \t]*[\w.-]+=[^;\s]*;?)*\s*")

Block = tuple[str, Fields]
"""Its name in error messages, and its members."""


def read_system(value: object) -> str:
    """Returns the text of `system`, a string or a list of text blocks, without the header that agents put at its
    beginning: that changes with each request, and nothing after it would be found in the prefix cache."""
    texts = [_read_text(block, BLOCKS["system"]) for block in _read_blocks("system", value)]
    without = (_BILLING_HEADER.sub("", text, count=1) if _BILLING_HEADER.match(text) else text for text in texts)
    return "\n".join(text for text in without if text)


def read_turns(value: object) -> list[Message]:
    """Returns the messages of `messages`. Neighbours of one role are one turn.

    Raises InvalidRequest, which names the member that is wrong, and ApiError (501) for an image that is not the user's.
    """
    if not isinstance(value, list) or not value:
        raise invalid_value("messages", MESSAGES, value)
    if len(value) > MAX_MESSAGES:
        raise InvalidRequest("messages", f"expected at most {MAX_MESSAGES} messages, got {len(value)}")
    read = [_read_message(f"messages[{index}]", message) for index, message in enumerate(value)]
    turns: list[Message] = []
    for role, messages in groupby(read, key=lambda message: message[0]):
        blocks = [block for _, content in messages for block in content]
        turns += {"user": _user_turn, "assistant": _assistant_turn, "system": _system_turn}[role](blocks)
    return turns


def unshown_blocks(messages: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Yields warnings for the blocks of messages, which were read before, that the model is not shown."""
    for index, message in enumerate(messages):
        content = message.get("content")
        for number, block in enumerate(content if isinstance(content, list) else ()):
            if block.get("type") in NOT_SHOWN:
                name = f"messages[{index}].content[{number}]"
                yield f"{name}: a block of the type {preview(block['type'])} is not shown to the model"


def _read_message(name: str, value: object) -> tuple[str, list[Block]]:
    if not isinstance(value, dict):
        raise invalid_value(name, "an object with role and content", value)
    role = value.get("role")
    if role not in ROLES:
        raise invalid_value(f"{name}.role", f"one of {', '.join(ROLES)}", role)
    content = value.get("content")
    if content is None and "content" in value:
        content = []
    return role, list(_read_blocks(f"{name}.content", content))


def _read_blocks(name: str, value: object) -> Iterator[Block]:
    """Yields the blocks of a content. A string is one block of text."""
    if isinstance(value, str):
        yield name, {"type": "text", "text": value}
        return
    if not isinstance(value, list):
        raise invalid_value(name, "a string or a list of blocks", value)
    for index, block in enumerate(value):
        if not isinstance(block, dict):
            raise invalid_value(f"{name}[{index}]", 'a block such as {"type": "text", "text": ...}', block)
        yield f"{name}[{index}]", block


def _user_turn(blocks: list[Block]) -> Iterator[Message]:
    """Yields the results of tools first, since these follow the calls."""
    texts = []
    for block in blocks:
        if block[1].get("type") == "tool_result":
            yield _read_result(*block)
        else:
            texts.append(_read_text(block, BLOCKS["user"]))
    if texts or not blocks:
        yield {"role": "user", "content": _join(texts)}


def _assistant_turn(blocks: Iterable[Block]) -> Iterator[Message]:
    texts, thoughts, calls = [], [], []
    for name, block in blocks:
        match block.get("type"):
            case "thinking":
                thoughts.append(as_string(f"{name}.thinking", block.get("thinking")))
            case "redacted_thinking":
                pass  # nobody but Anthropic can read it
            case str(kind) if kind in NOT_SHOWN:
                pass
            case "tool_use":
                calls.append(_read_call(name, block))
            case _:
                texts.append(_read_text((name, block), BLOCKS["assistant"]))
    if len(calls) > MAX_TOOL_CALLS:
        raise InvalidRequest("messages", f"expected at most {MAX_TOOL_CALLS} calls in a turn, got {len(calls)}")
    text, thinking = "\n".join(filter(None, texts)), "\n".join(filter(None, thoughts))
    message: Message = {"role": "assistant", "content": text if text or not (calls or thinking) else None}
    if calls:
        message["tool_calls"] = calls
    if thinking:
        message["reasoning_content"] = thinking
    yield message


def _system_turn(blocks: Iterable[Block]) -> Iterator[Message]:
    yield {"role": "system", "content": _join([_read_text(block, BLOCKS["system"]) for block in blocks])}


def _join(texts: list[str]) -> str:
    """Returns the content of a message. One that is media alone has to stay such."""
    is_parted = len(texts) > 1 or any(isinstance(text, MediaPart) for text in texts)
    return TextParts(texts) if is_parted else "".join(texts)


def _read_call(name: str, block: Fields) -> Json:
    arguments = block.get("input")
    arguments = {} if arguments is None else arguments
    if not isinstance(arguments, dict):
        raise invalid_value(f"{name}.input", "an object", arguments)
    function = {
        "name": as_string(f"{name}.name", block.get("name")),
        "arguments": dump_arguments(f"{name}.input", arguments),
    }
    return {"id": as_string(f"{name}.id", block.get("id")), "type": "function", "function": function}


def _read_result(name: str, block: Fields) -> Message:
    call_id = as_string(f"{name}.tool_use_id", block.get("tool_use_id"))
    content = block.get("content")
    blocks = [] if content is None else _read_blocks(f"{name}.content", content)
    texts = [_read_text(part, RESULT_BLOCKS) for part in blocks]
    is_error = block.get("is_error")
    if is_error is not None and as_boolean(f"{name}.is_error", is_error):
        # Templates have no other place for it.
        is_text = texts and not isinstance(texts[0], MediaPart)
        texts = [f"Error: {texts[0]}", *texts[1:]] if is_text else ["Error", *texts]
    return {"role": "tool", "tool_call_id": call_id, "content": _join(texts)}


def _read_text(named: Block, allowed: Iterable[str]) -> str:
    """Returns the text of a block that has one. `allowed` are the types of blocks that may be in its place."""
    name, block = named
    kind = block.get("type")
    match kind:
        case "text":
            return as_string(f"{name}.text", block.get("text"))
        case "document" if kind in allowed:
            return _read_document(name, block)
        case "search_result" if kind in allowed:
            heads = [read_member(name, block, member) for member in ("title", "source")]
            texts = [_read_text(part, ("text",)) for part in _read_blocks(f"{name}.content", block.get("content"))]
            return "\n".join(filter(None, [*heads, *texts]))
        case "image" if kind in allowed:
            return _read_image(name, block)
        case "tool_reference" if kind in allowed:
            return as_string(f"{name}.tool_name", block.get("tool_name"))  # all tools are shown from the beginning
        case "image":
            raise ApiError(501, f"{name}: images are not supported, only text is")
    raise invalid_value(f"{name}.type", f"one of {', '.join(allowed)}", kind)


def _read_image(name: str, block: Fields) -> str:
    """Returns the part for a picture, in base64 or at a URL."""
    source = block.get("source")
    if not isinstance(source, dict):
        raise invalid_value(f"{name}.source", "an object with type", source)
    match source.get("type"):
        case "base64":
            return image_part(name, as_string(f"{name}.source.data", source.get("data")))
        case "url":
            return image_part(name, as_string(f"{name}.source.url", source.get("url")))
        case kind:
            raise invalid_value(f"{name}.source.type", "base64 or url", kind)


def _read_document(name: str, block: Fields) -> str:
    """Raises ApiError (501) for a document that is not text, such as a PDF."""
    source = block.get("source")
    if not isinstance(source, dict):
        raise invalid_value(f"{name}.source", "an object with type", source)
    heads = [read_member(name, block, member) for member in ("title", "context")]
    match source.get("type"):
        case "text":
            texts = [as_string(f"{name}.source.data", source.get("data"))]
        case "content":
            blocks = _read_blocks(f"{name}.source.content", source.get("content"))
            texts = [_read_text(part, ("text",)) for part in blocks]
        case kind:
            raise ApiError(501, f"{name}.source.type: expected text or content, got {preview(kind)}")
    return "\n".join(filter(None, [*heads, *texts]))
