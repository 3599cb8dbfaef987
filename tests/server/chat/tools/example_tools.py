"""Tools for tests."""

from collections.abc import Mapping
from typing import Any

from server.chat.tools.request import ToolFields, ToolRequest

SCHEMAS: dict[str, dict[str, Any]] = {
    "find_place": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 10},
            "kind": {"enum": ["house", "tree"]},
            "near": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 9}, "maxItems": 3},
        },
        "required": ["name", "kind"],
        "additionalProperties": False,
    },
    "find_person": {
        "type": "object",
        "properties": {"is_old": {"type": "boolean"}},
        "required": ["is_old"],
        "additionalProperties": False,
    },
    "wait": {"type": "object", "properties": {}, "additionalProperties": False},
}


def read_tools(fields: Mapping[str, object]) -> ToolRequest | None:
    return ToolFields.parse(fields).tool_request()


def make_tool_request(
    choice: object = "auto", *, parallel: bool = True, schemas: Mapping[str, Any] = SCHEMAS, strict: bool = False
) -> ToolRequest:
    """Returns the tools of a request with these schemas."""
    tools = [
        {"type": "function", "function": {"name": name, "parameters": schema, "strict": strict}}
        for name, schema in schemas.items()
    ]
    request = read_tools({"tools": tools, "tool_choice": choice, "parallel_tool_calls": parallel})
    assert request is not None
    return request
