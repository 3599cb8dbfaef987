"""Tools as Anthropic spells them, and which of them the model has to call."""

from dataclasses import dataclass

from server.chat.tools.request import MAX_TOOLS, Json, ToolRequest, get_tool_name, read_function
from server.http.errors import ApiError
from server.http.fields import Fields, as_boolean, as_string, invalid_value, preview
from slots.errors import InvalidRequest

TOOLS = "a list of tools"
CHOICES = '{"type": "auto"}, {"type": "any"}, {"type": "none"} or {"type": "tool", "name": ...}'
_KINDS = {"auto": "auto", "any": "required", "none": "none", "tool": "function"}
"""By the type of a choice: what ToolRequest calls it."""


@dataclass(frozen=True, slots=True)
class ToolChoice:
    kind: str
    """As in ToolRequest."""
    tool_name: str | None = None
    parallel: bool = False
    """Whether a turn may have several calls. Not unless the request says so: small models repeat a call that they have
    to make until they are cut off."""


def read_tools(value: object) -> tuple[Json, ...]:
    """Returns the tools of a request as templates take them.

    Raises InvalidRequest, which names the member that is wrong, and ApiError (501) for a tool of Anthropic's own, whose
    schema or execution would be the server's affair.
    """
    if not isinstance(value, list):
        raise invalid_value("tools", TOOLS, value)
    if len(value) > MAX_TOOLS:
        raise InvalidRequest("tools", f"expected at most {MAX_TOOLS} tools, got {len(value)}")
    tools = tuple(_read_tool(f"tools[{index}]", tool) for index, tool in enumerate(value))
    names = [get_tool_name(tool) for tool in tools]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise invalid_value(f"tools[{index}].name", "a name that no other tool has", name)
    return tools


def read_tool_choice(value: object) -> ToolChoice:
    if not isinstance(value, dict):
        raise invalid_value("tool_choice", CHOICES, value)
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise invalid_value("tool_choice.type", f"one of {', '.join(_KINDS)}", kind)
    name = as_string("tool_choice.name", value.get("name")) if kind == "tool" else None
    return ToolChoice(_KINDS[kind], name, _allows_parallel_calls(value))


def make_tool_request(tools: tuple[Json, ...], choice: ToolChoice) -> ToolRequest | None:
    """Returns the tools, or None if there are none. Raises InvalidRequest for the choice of a tool that is not
    offered."""
    names = [get_tool_name(tool) for tool in tools]
    if choice.tool_name is not None and choice.tool_name not in names:
        offered = f"one of the tools: {', '.join(names)}" if names else "no choice, since there are no tools"
        raise invalid_value("tool_choice.name", offered, choice.tool_name)
    if not tools:
        if choice.kind == "required":
            raise InvalidRequest("tools", 'expected at least one tool, since tool_choice is "any", got none')
        return None
    return ToolRequest(tools, choice.kind, choice.tool_name, choice.parallel)


def _allows_parallel_calls(choice: Fields) -> bool:
    member = "disable_parallel_tool_use"
    return choice.get(member) is not None and not as_boolean(f"tool_choice.{member}", choice[member])


def _read_tool(name: str, value: object) -> Json:
    if not isinstance(value, dict):
        raise invalid_value(name, "an object with name and input_schema", value)
    if value.get("input_schema") is None:
        if value.get("type") not in (None, "custom"):
            got = preview(value["type"])
            raise ApiError(501, f"{name}.type: expected custom, since this server has no tools of its own, got {got}")
        raise invalid_value(f"{name}.input_schema", "a JSON schema, which is an object", None)
    return read_function(name, value, "input_schema")
