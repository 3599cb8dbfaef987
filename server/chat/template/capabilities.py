"""Capabilities: what a chat template supports, detected by rendering small chats and looking for their words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from server.chat.messages import Json, Message
from server.chat.template.probes import ANSWER, CALLS, CONTENT, LONG_ID, USER, ArgumentsAs, call_message

Render = Callable[[Sequence[Message], Sequence[Json] | None], str | None]
"""Returns the text of unadapted messages and tools, or None if the template fails."""
RenderText = Callable[..., str]
"""The same for messages as separate arguments, with the content form that the template takes; a failure is ""."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    supports_system: bool
    supports_strings: bool
    """Content may be a string."""
    supports_typed_content: bool
    """Content may be a list of typed parts."""
    needs_typed_content: bool
    """It may be nothing else."""
    needs_list_of_tools: bool
    """It fails without tools, but not with an empty list of them."""
    supports_tools: bool
    """It shows the definitions of tools."""
    supports_tool_calls: bool
    supports_parallel_tool_calls: bool
    """A message may have several calls."""
    supports_tool_results: bool
    """It knows messages of the role tool."""
    arguments_as: ArgumentsAs
    """The form in which it takes the arguments of calls."""
    needs_short_ids: bool
    """It refuses call ids that are not nine letters and digits."""
    supports_reasoning: bool
    """It shows the reasoning_content of earlier answers."""


def detect_capabilities(render: Render) -> Capabilities:
    """A template that fails even for a single user message counts as supporting strings and system messages, so that a
    real chat shows its error."""
    needs_list = render([USER], None) is None and render([USER], []) is not None
    no_tools: Sequence[Json] | None = [] if needs_list else None
    strings, typed = _detect_content_forms(render, no_tools)

    def render_text(*messages: Message, tools: Sequence[Json] | None = no_tools) -> str:
        return render(messages if strings else [_with_typed_content(message) for message in messages], tools) or ""

    arguments_as, call_id = _detect_call_form(render_text)
    call, other = replace(CALLS[0], call_id=call_id), CALLS[1]
    message = call_message([call], arguments_as)
    supports_calls = call.argument in render_text(USER, message)
    both_calls = render_text(USER, call_message([call, other], arguments_as))
    return Capabilities(
        supports_system=CONTENT in render_text({"role": "system", "content": CONTENT}, USER) or not render_text(USER),
        supports_strings=strings,
        supports_typed_content=typed,
        needs_typed_content=typed and not strings,
        needs_list_of_tools=needs_list,
        supports_tools=call.name in render_text(USER, tools=[call.tool]),
        supports_tool_calls=supports_calls,
        supports_parallel_tool_calls=supports_calls and call.argument in both_calls and other.argument in both_calls,
        supports_tool_results=_supports_tool_results(render_text, message if supports_calls else None, call_id),
        arguments_as=arguments_as,
        needs_short_ids=supports_calls and call_id == CALLS[0].call_id,
        supports_reasoning=CONTENT in render_text(USER, ANSWER | {"reasoning_content": CONTENT}, USER),
    )


def _detect_content_forms(render: Render, no_tools: Sequence[Json] | None) -> tuple[bool, bool]:
    """Returns whether content may be a string, and whether it may be typed parts. A template for strings shows parts
    in Python's or JSON's notation, with their type."""
    message: Message = {"role": "user", "content": CONTENT}
    as_string = render([message], no_tools) or ""
    as_parts = render([_with_typed_content(message)], no_tools) or ""
    typed = CONTENT in as_parts and "'text'" not in as_parts and '"text"' not in as_parts
    return CONTENT in as_string or not typed, typed


def _detect_call_form(render_text: RenderText) -> tuple[ArgumentsAs, str]:
    """Returns the form of arguments, and the id, for which a call is written correctly. An object in Python's notation
    should have been a string, and a string with escaped quotes an object.

    Looks for the argument's name, not for the tool's: some templates write only the id of a call.
    """
    forms: tuple[ArgumentsAs, ...] = ("object", "string")
    for call in (replace(CALLS[0], call_id=LONG_ID), CALLS[0]):
        for arguments_as in forms:
            text = render_text(USER, call_message([call], arguments_as))
            wrong = f"{{'{call.argument}'" if arguments_as == "object" else f'\\"{call.argument}'
            if call.argument in text and wrong not in text:
                return arguments_as, call.call_id
    return "object", LONG_ID


def _supports_tool_results(render_text: RenderText, calls: Message | None, call_id: str) -> bool:
    """`calls` is the message of a call, if the template supports calls. One that does not may write any role, perhaps
    in capitals: a result that it writes like the message of an unknown role is not supported."""
    result: Message = {"role": "tool", "tool_call_id": call_id, "name": CALLS[0].name, "content": CONTENT}
    text = render_text(USER, calls or ANSWER, result)
    if CONTENT not in text:
        return False
    of_unknown_role = render_text(USER, calls or ANSWER, result | {"role": "stranger"})
    return calls is not None or text.lower() != of_unknown_role.lower().replace("stranger", "tool")


def _with_typed_content(message: Message) -> Message:
    return message | {"content": [{"type": "text", "text": message["content"]}]}
