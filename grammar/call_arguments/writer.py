"""Writes arguments in a syntax, as templates do for the calls of earlier turns."""

import json
from collections.abc import Mapping

from grammar.call_arguments.syntax import CDATA_END, CDATA_START, ArgumentSyntax

_LITERALS = {"true": "True", "false": "False", "null": "None"}


def write_arguments(syntax: ArgumentSyntax, arguments: Mapping[str, object]) -> str:
    return syntax.separator.join(_write_argument(syntax, name, value) for name, value in arguments.items())


def kind_of(value: object) -> str:
    """Returns the kind of a value, by the names of JSON Schema."""
    kinds = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", type(None): "null"}
    return kinds.get(type(value), "object")


def _write_argument(syntax: ArgumentSyntax, name: str, value: object) -> str:
    text = _write_string(syntax, value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if syntax.has_python_literals and not isinstance(value, str):
        text = _LITERALS.get(text, text)
    return syntax.before_name + name + syntax.before(kind_of(value)) + text + syntax.after(name)


def _write_string(syntax: ArgumentSyntax, text: str) -> str:
    match syntax.strings:
        case "python":
            return json.dumps(text, ensure_ascii=False)
        case "quoted":
            return syntax.quote + text + syntax.quote
        case "cdata" if {"<", "&", "\n"} & set(text):
            return CDATA_START + text + CDATA_END
    return text
