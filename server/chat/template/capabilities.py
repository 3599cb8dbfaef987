"""What a chat template knows, found by rendering small chats and looking for what was put into them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from server.chat.messages import Json, Message

ArgumentsAs = Literal["object", "string"]
Render = Callable[[Sequence[Message], Sequence[Json] | None], str | None]
"""Returns the text of messages and tools as they are; None if the template fails at them."""

NEEDLE = "needle"
"""Short and of letters: a template that shortens or escapes what it is given leaves it alone."""
TOOL, ARGUMENT = "needle_tool", "needle_argument"
ARGUMENTS_TEXT = f'{{"{ARGUMENT}": "{NEEDLE}"}}'
LONG_ID, SHORT_ID = "call_needle_0123456789", "needle001"
OTHER_SHORT_ID = "needle002"

HELLO: Message = {"role": "user", "content": "Hello"}


@dataclass(frozen=True, slots=True)
class Capabilities:
    supports_system: bool
    supports_strings: bool
    """Content may be a string."""
    supports_typed_content: bool
    """Content may be a list of typed parts."""
    needs_list_of_tools: bool
    """It fails without tools, but not at an empty list of them."""
    supports_tools: bool
    """It describes the tools of a request to the model."""
    supports_tool_calls: bool
    supports_parallel_tool_calls: bool
    """A message may have several calls."""
    supports_tool_results: bool
    """It knows messages of the role tool."""
    arguments_as: ArgumentsAs
    """How it wants the arguments of calls."""
    needs_short_ids: bool
    """It refuses ids of calls that are not nine letters and digits."""
    supports_reasoning: bool
    """It shows the reasoning_content of earlier answers."""

    @property
    def needs_typed_content(self) -> bool:
        return self.supports_typed_content and not self.supports_strings


def detect_capabilities(render: Render) -> Capabilities:
    """Returns what the template behind `render` knows. One that fails at the plainest chat is taken to know strings
    and system messages: what it says of a real chat is its own affair."""
    needs_list = render([HELLO], None) is None and render([HELLO], []) is not None
    no_tools: Sequence[Json] | None = [] if needs_list else None
    strings, typed = _detect_content_forms(render, no_tools)

    def render_text(*messages: Message, tools: Sequence[Json] | None = no_tools) -> str:
        shaped = messages if strings else [_typed(message) for message in messages]
        return render(shaped, tools) or ""

    arguments_as, call_id = _detect_call_form(render_text)
    call = _asking(_call(call_id, TOOL, arguments_as))
    two_calls = _asking(_call(call_id, TOOL, arguments_as), _call(OTHER_SHORT_ID, TOOL, arguments_as))
    supports_calls = _shows_call(render_text(HELLO, call))
    return Capabilities(
        supports_system=NEEDLE in render_text({"role": "system", "content": NEEDLE}, HELLO) or not render_text(HELLO),
        supports_strings=strings,
        supports_typed_content=typed,
        needs_list_of_tools=needs_list,
        supports_tools=TOOL in render_text(HELLO, tools=[_tool()]),
        supports_tool_calls=supports_calls,
        supports_parallel_tool_calls=supports_calls and render_text(HELLO, two_calls).count(ARGUMENT) == 2,
        supports_tool_results=_supports_tool_results(render_text, call, call_id, supports_calls),
        arguments_as=arguments_as,
        needs_short_ids=supports_calls and call_id == SHORT_ID,
        supports_reasoning=NEEDLE in render_text(HELLO, _thoughtful(), HELLO),
    )


def _detect_content_forms(render: Render, no_tools: Sequence[Json] | None) -> tuple[bool, bool]:
    """Whether content may be a string, and whether it may be typed parts. A template that joins texts shows typed parts
    as Python spells them, with the type."""
    message: Message = {"role": "user", "content": NEEDLE}
    as_string, as_parts = render([message], no_tools) or "", render([_typed(message)], no_tools) or ""
    typed = NEEDLE in as_parts and "'text'" not in as_parts and '"text"' not in as_parts
    return NEEDLE in as_string or not typed, typed


def _detect_call_form(render_text: Callable[..., str]) -> tuple[ArgumentsAs, str]:
    """How arguments and ids come out right. An object that is shown as Python spells it was meant to be a string, and
    a string that is escaped was meant to be an object."""
    for call_id in (LONG_ID, SHORT_ID):
        for arguments_as in ("object", "string"):
            text = render_text(HELLO, _asking(_call(call_id, TOOL, arguments_as)))
            wrong = f"{{'{ARGUMENT}'" if arguments_as == "object" else f'\\"{ARGUMENT}'
            if _shows_call(text) and wrong not in text:
                return arguments_as, call_id
    return "object", LONG_ID


def _shows_call(text: str) -> bool:
    """Some templates tell a call by its id, which has the name in it, and not by the name."""
    return ARGUMENT in text


def _supports_tool_results(render_text: Callable[..., str], call: Message, call_id: str, supports_calls: bool) -> bool:
    """A template that writes any role that it is given, perhaps in capitals, shows results too, but that does not make
    it know them, unless it knows calls."""
    before = (HELLO, call) if supports_calls else (HELLO, {"role": "assistant", "content": "Hello"})
    result: Message = {"role": "tool", "tool_call_id": call_id, "name": TOOL, "content": NEEDLE + "_result"}
    text = render_text(*before, result)
    if f"{NEEDLE}_result" not in text:
        return False
    of_stranger = render_text(*before, result | {"role": "stranger"})
    return supports_calls or text.lower() != of_stranger.lower().replace("stranger", "tool")


def _typed(message: Message) -> Message:
    return message | {"content": [{"type": "text", "text": message["content"]}]}


def _asking(*calls: Json) -> Message:
    return {"role": "assistant", "content": "", "tool_calls": list(calls)}


def _call(call_id: str, name: str, arguments_as: ArgumentsAs) -> Json:
    arguments: object = {ARGUMENT: NEEDLE} if arguments_as == "object" else ARGUMENTS_TEXT
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _thoughtful() -> Message:
    return {"role": "assistant", "content": "Hello", "reasoning_content": NEEDLE}


def _tool() -> Json:
    parameters = {"type": "object", "properties": {ARGUMENT: {"type": "string", "description": "Any"}}}
    function = {"name": TOOL, "description": "Anything", "parameters": parameters | {"required": [ARGUMENT]}}
    return {"type": "function", "function": function}
