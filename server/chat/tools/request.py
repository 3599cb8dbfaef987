"""ToolRequest: the tools that a request offers to the model, and which of them the model has to call."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema

from grammar.json_schema.spellings import standard_spelling
from server.chat.tools.matching import WORD_CHARACTER
from server.http.fields import as_boolean, invalid_value, read_member
from server.http.request_model import RequestBody
from slots.errors import InvalidRequest
from slots.requests.params import Boolean, Takes

Json = dict[str, object]

MAX_TOOLS = 128
MAX_NAME_CHARACTERS = 256
_NAME = re.compile(f"{WORD_CHARACTER}{{1,{MAX_NAME_CHARACTERS}}}")
_CHOICES = (
    '"auto", "none", "required", {"type": "function", "function": {"name": ...}} or '
    '{"type": "allowed_tools", "allowed_tools": {"mode": ..., "tools": [...]}}'
)
_TOOLS = "a list of tools"
_TOOLS_SCHEMA: Json = {
    "type": "array",
    "maxItems": MAX_TOOLS,
    "items": {
        "type": "object",
        "properties": {
            "type": {"const": "function"},
            "function": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "pattern": f"^{_NAME.pattern}$"},
                    "description": {"type": "string"},
                    "parameters": {"type": "object"},
                    "strict": {"type": "boolean"},
                },
                "required": ["name"],
            },
        },
        "required": ["function"],
    },
}
_NO_PARAMETERS: Json = {"type": "object", "properties": {}, "additionalProperties": False}


@dataclass(frozen=True, slots=True)
class ToolRequest:
    tools: tuple[Json, ...]
    """As OpenAI spells them: {"type": "function", "function": {"name", "description", "parameters"}}, with all of these
    members, which templates rely on, and "strict" if it is true."""
    choice: str
    """"auto", "none", "required", or "function" for the tool `tool_name`."""
    tool_name: str | None
    parallel: bool
    """Whether a turn may have several calls. A tool that the request names is called once, as at OpenAI's."""

    @property
    def callable_tools(self) -> tuple[Json, ...]:
        """The tools that the model may call."""
        if self.choice == "none":
            return ()
        return tuple(tool for tool in self.tools if self.tool_name is None or get_tool_name(tool) == self.tool_name)

    @property
    def must_call(self) -> bool:
        return self.choice in ("required", "function")


def _read_tools(value: object) -> tuple[Json, ...]:
    if not isinstance(value, list):
        raise invalid_value("tools", _TOOLS, value)
    if len(value) > MAX_TOOLS:
        raise InvalidRequest("tools", f"expected at most {MAX_TOOLS} tools, got {len(value)}")
    return tuple(_read_tool(f"tools[{index}]", tool) for index, tool in enumerate(value))


def _refuse_functions(value: object) -> object:
    if value:
        raise InvalidRequest("functions", "expected tools in their place, as OpenAI's clients have them now")
    return value


class ToolFields(RequestBody):
    """What a request says about tools."""

    functions: Annotated[
        Any, Takes("[]"), PlainValidator(_refuse_functions), WithJsonSchema({"type": "array", "maxItems": 0})
    ] = Field((), description="not supported; superseded by tools")
    tools: Annotated[tuple[Json, ...], Takes(_TOOLS), PlainValidator(_read_tools), WithJsonSchema(_TOOLS_SCHEMA)] = (
        Field((), description="functions that the model may call")
    )
    parallel_tool_calls: Boolean = Field(False, description="allow several calls in one turn")
    tool_choice: Annotated[Any, Takes(_CHOICES), WithJsonSchema({"type": ["string", "object"]})] = Field(
        None, description="whether tools may, must or must not be called, or the tool to call"
    )

    def tool_request(self) -> ToolRequest | None:
        """Returns the tools, or None if there are none. Raises InvalidRequest for two tools with one name, and for the
        choice of a tool that is not offered."""
        names = [get_tool_name(tool) for tool in self.tools]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise invalid_value(f"tools[{index}].function.name", "a name that no other tool has", name)
        allowed, choice = _read_allowed_tools(self.tool_choice, names)
        kind, tool_name = _read_choice(choice, allowed)
        tools = tuple(tool for tool in self.tools if get_tool_name(tool) in allowed)
        if not tools:
            return None
        return ToolRequest(tools, kind, tool_name, self.parallel_tool_calls and tool_name is None)


def get_tool_name(tool: Json) -> str:
    """Returns the name of the function of a tool that was read."""
    return str(_function(tool)["name"])


def get_tool_parameters(tool: Json) -> Json:
    """Returns the JSON schema of the arguments of a tool that was read."""
    parameters = _function(tool)["parameters"]
    assert isinstance(parameters, dict)
    return parameters


def with_descriptions(tools: Sequence[Json]) -> list[Json]:
    """Returns tools that were read, with a type and an empty description for each argument that has none."""
    return [
        {**tool, "function": {**_function(tool), "parameters": _described(get_tool_parameters(tool))}} for tool in tools
    ]


def _described(parameters: Json) -> Json:
    properties = parameters.get("properties")
    named = properties.items() if isinstance(properties, dict) else ()
    missing: Json = {"type": "string", "description": ""}
    described = {name: {**missing, **part} if isinstance(part, dict) else part for name, part in named}
    return {**parameters, "properties": described}


def is_strict(tool: Json) -> bool:
    """Whether the schema of a tool that was read has to be enforced as it is, or be refused."""
    return bool(_function(tool).get("strict"))


def _function(tool: Json) -> Json:
    function = tool["function"]
    assert isinstance(function, dict)
    return function


def _read_tool(name: str, value: object) -> Json:
    if not isinstance(value, dict):
        raise invalid_value(name, "an object with type and function", value)
    if value.get("type", "function") != "function":
        raise invalid_value(f"{name}.type", '"function"', value["type"])
    function = value.get("function")
    if not isinstance(function, dict):
        raise invalid_value(f"{name}.function", "an object with name and parameters", function)
    return read_function(f"{name}.function", function)


def read_function(name: str, function: Json, parameters: str = "parameters") -> Json:
    """Returns the tool that an object of a request describes; `parameters` is the member that holds the schema of its
    arguments. Raises InvalidRequest, which names the member that is wrong."""
    strict = function.get("strict")
    is_enforced = strict is not None and as_boolean(f"{name}.strict", strict)
    read: Json = {
        "name": _read_name(f"{name}.name", function.get("name")),
        "description": read_member(name, function, "description"),
        "parameters": _read_parameters(f"{name}.{parameters}", function.get(parameters), is_strict=is_enforced),
        **({"strict": True} if is_enforced else {}),
    }
    return {"type": "function", "function": read}


def _read_name(name: str, value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        allowed = f"1 to {MAX_NAME_CHARACTERS} characters without spaces, quotes, brackets, commas and \\, |, ="
        raise invalid_value(name, allowed, value)
    return value


def _read_parameters(name: str, value: object, *, is_strict: bool) -> Json:
    """Returns the schema of a tool's arguments, which is that of an object. Unless it has to be enforced as it is,
    other spellings of it become those of JSON Schema, for the template as well."""
    if not value and isinstance(value, dict | list | None):
        return _NO_PARAMETERS  # a list is PHP's empty array
    if not isinstance(value, dict):
        raise invalid_value(name, "a JSON schema, which is an object", value)
    schema = value if is_strict else standard_spelling(value)
    kind = schema.get("type", "object")
    if not is_strict and isinstance(kind, list) and "object" in kind:
        kind = "object"
    if kind != "object":
        raise invalid_value(f"{name}.type", '"object", since arguments have names', value["type"])
    return schema if schema.get("type") == kind else {"type": kind, **_without_type(schema)}


def _without_type(schema: Json) -> Json:
    return {keyword: value for keyword, value in schema.items() if keyword != "type"}


def _read_allowed_tools(value: object, names: list[str]) -> tuple[list[str], object]:
    """Returns the names of the tools that a choice allows, and the choice among them."""
    if not isinstance(value, dict) or value.get("type") != "allowed_tools":
        return names, value
    match value.get("allowed_tools"):
        case {"mode": "auto" | "required" as mode, "tools": list() as tools}:
            return [_read_tool_name(tool if isinstance(tool, dict) else {}, names) for tool in tools], mode
    raise invalid_value("tool_choice", _CHOICES, value)


def _read_choice(value: object, names: list[str]) -> tuple[str, str | None]:
    if isinstance(value, dict):
        return "function", _read_tool_name(value, names)
    if value is None or value in ("auto", "none"):
        return ("auto" if value is None else str(value)), None
    if value != "required":
        raise invalid_value("tool_choice", _CHOICES, value)
    if not names:
        raise InvalidRequest("tools", 'expected at least one tool, since tool_choice is "required", got none')
    return "required", None


def _read_tool_name(value: Json, names: list[str]) -> str:
    """The name is in the member `function`, or next to the type."""
    function = value.get("function")
    field = "tool_choice.name" if function is None and "name" in value else "tool_choice.function.name"
    name = value.get("name") if function is None else function.get("name") if isinstance(function, dict) else None
    if value.get("type", "function") != "function" or not isinstance(name, str):
        raise invalid_value("tool_choice", _CHOICES, value)
    if name not in names:
        offered = f"one of the tools: {', '.join(names)}" if names else "no choice, since there are no tools"
        raise invalid_value(field, offered, name)
    return name
