"""Tools as Responses spell them: functions, custom tools that take any text, namespaces of both, and tools of OpenAI's
own, which are left out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from server.api.openai.responses.items import check_depth, qualified_name
from server.chat.tools.request import MAX_TOOLS, Json, ToolRequest, get_tool_name, read_function
from server.http.fields import Fields, as_string, invalid_value, preview, read_member
from slots.errors import InvalidRequest

TOOLS = "a list of tools"
CHOICES = '"auto", "none", "required", {"type": "function", "name": ...} or {"type": "allowed_tools", ...}'
LEFT_OUT = frozenset(
    {
        *("web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11"),
        *("file_search", "code_interpreter", "image_generation", "mcp", "tool_search", "programmatic_tool_calling"),
        *("computer", "computer_use", "computer_use_preview", "local_shell", "shell", "apply_patch"),
    }
)
"""Types of tools that OpenAI's service runs, or whose schema only its models know. Agents offer them to any model."""
_KINDS = ("function", "custom", "namespace")
_CUSTOM_INPUT: Json = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A tool that the model may call, and what a call of it is called in a response."""

    name: str
    namespace: str
    is_custom: bool
    """Whether it takes a text, which the model writes as the argument `input`."""
    function: Json
    """As templates take it."""


@dataclass(frozen=True, slots=True)
class Tools:
    given: list[object]
    """As the request has them."""
    offered: Mapping[str, OfferedTool]
    """By the name by which the model knows them."""
    warnings: tuple[str, ...]
    """What is left out, or not enforced."""


@dataclass(frozen=True, slots=True)
class ToolChoice:
    given: object
    """As the request has it."""
    kind: str
    """As in ToolRequest."""
    names: tuple[str, ...] | None = None
    """By which the model knows the only tools that may be called; None if it may call any."""


def read_tools(value: object) -> Tools:
    """Raises InvalidRequest, which names the member that is wrong."""
    if not isinstance(value, list):
        raise invalid_value("tools", TOOLS, value)
    check_depth("tools", value)
    warnings: list[str] = []
    offered: dict[str, OfferedTool] = {}
    for index, tool in enumerate(value):
        for name, read in _read_tool(f"tools[{index}]", tool, warnings):
            called = get_tool_name(read.function)
            if called in offered:
                raise invalid_value(f"{name}.name", "a name that no other tool has", read.name)
            offered[called] = read
    if len(offered) > MAX_TOOLS:
        raise InvalidRequest("tools", f"expected at most {MAX_TOOLS} tools, got {len(offered)}")
    return Tools(value, offered, tuple(warnings))


def read_tool_choice(value: object) -> ToolChoice:
    check_depth("tool_choice", value)
    match value:
        case "auto" | "none" | "required":
            return ToolChoice(value, str(value))
        case dict() if value.get("type") in ("function", "custom"):
            return ToolChoice(value, "function", (_read_name("tool_choice", value),))
        case {"type": "allowed_tools", "mode": "auto" | "required" as mode, "tools": list() as tools}:
            names = [_read_allowed(f"tool_choice.tools[{index}]", tool) for index, tool in enumerate(tools)]
            return ToolChoice(value, str(mode), tuple(name for name in names if name is not None))
    raise invalid_value("tool_choice", CHOICES, value)


def make_tool_request(tools: Tools, choice: ToolChoice, *, parallel: bool) -> ToolRequest | None:
    """Returns the tools that the model may call, or None if there are none. Raises InvalidRequest for the choice of a
    tool that is not offered."""
    functions = {name: tool.function for name, tool in tools.offered.items()}
    for name in choice.names or ():
        if name not in functions:
            offered = (
                f"one of the tools: {', '.join(functions)}" if functions else "no choice, since there are no tools"
            )
            raise invalid_value("tool_choice", offered, name)
    if choice.kind == "function":
        assert choice.names
        return ToolRequest(tuple(functions.values()), "function", choice.names[0], parallel=False)
    allowed = tuple(functions[name] for name in (functions if choice.names is None else dict.fromkeys(choice.names)))
    if allowed:
        return ToolRequest(allowed, choice.kind, None, parallel)
    if choice.kind == "required":
        raise InvalidRequest("tools", 'expected at least one tool, since tool_choice is "required", got none')
    return None


def _read_tool(name: str, value: object, warnings: list[str]) -> Iterator[tuple[str, OfferedTool]]:
    """Yields the tools that the model gets for one of the request, with their names in error messages."""
    if not isinstance(value, dict):
        raise invalid_value(name, "an object with type", value)
    kind = value.get("type")
    if kind == "namespace":
        yield from _read_namespace(name, value, warnings)
    elif isinstance(kind, str) and kind in LEFT_OUT:
        warnings.append(f"{name}: a tool of the type {preview(kind)} is left out, since this server has no such tool")
    else:
        yield name, _read_callable(name, value, "", warnings)


def _read_namespace(name: str, value: Fields, warnings: list[str]) -> Iterator[tuple[str, OfferedTool]]:
    namespace, tools = as_string(f"{name}.name", value.get("name")), value.get("tools")
    if not isinstance(tools, list):
        raise invalid_value(f"{name}.tools", TOOLS, tools)
    for index, tool in enumerate(tools):
        member = f"{name}.tools[{index}]"
        if not isinstance(tool, dict):
            raise invalid_value(member, "an object with type", tool)
        yield member, _read_callable(member, tool, namespace, warnings)


def _read_callable(name: str, value: Fields, namespace: str, warnings: list[str]) -> OfferedTool:
    kind = value.get("type")
    if kind not in ("function", "custom"):
        raise invalid_value(f"{name}.type", f"one of {', '.join(_KINDS)}", kind)
    own_name = as_string(f"{name}.name", value.get("name"))
    function = {**value, "name": qualified_name(namespace, own_name)}
    if kind == "custom":
        function |= {"parameters": _CUSTOM_INPUT, "description": _describe_custom(name, value, warnings)}
    return OfferedTool(own_name, namespace, kind == "custom", read_function(name, function))


def _describe_custom(name: str, value: Fields, warnings: list[str]) -> str:
    """Returns the description of a custom tool. Its grammar is a part of that, since the text is written as JSON."""
    description, given = read_member(name, value, "description"), value.get("format")
    if given is None:
        return description
    match given:
        case {"type": "text"}:
            return description
        case {"type": "grammar", "definition": str(definition), "syntax": "lark" | "regex" as syntax}:
            warnings.append(f"{name}.format: the grammar is described to the model, and not enforced")
            return f"{description}\n\nThe input has to match this grammar ({syntax}):\n{definition}".strip()
    raise invalid_value(f"{name}.format", '{"type": "text"} or {"type": "grammar", ...}', given)


def _read_allowed(name: str, value: object) -> str | None:
    """Returns the name by which the model knows an allowed tool, or None for one that is left out."""
    if not isinstance(value, dict):
        raise invalid_value(name, "an object with type and name", value)
    if value.get("type") in LEFT_OUT:
        return None
    return _read_name(name, value)


def _read_name(name: str, value: Fields) -> str:
    """Returns the name by which the model knows the tool that a choice names."""
    return qualified_name(read_member(name, value, "namespace"), as_string(f"{name}.name", value.get("name")))
