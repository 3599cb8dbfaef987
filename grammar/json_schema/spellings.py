"""Schemas of tools as programs write them that know JSON Schema by hearsay: their meaning is clear, their spelling is
not that of JSON Schema."""

from collections.abc import Mapping

from grammar.json_schema.keyword_values import TYPES
from grammar.json_schema.subschemas import LISTED, NAMED, SINGLE, Schema
from grammar.limits import MAX_DEPTH

_TYPE_NAMES = {kind: kind for kind in TYPES} | {
    "bool": "boolean",
    "dict": "object",
    "double": "number",
    "float": "number",
    "int": "integer",
    "list": "array",
    "none": "null",
    "str": "string",
    "tuple": "array",
}
"""In small letters: Google's APIs write types in capitals, and Python's programs write those of Python."""
_MEANINGFUL_NULLS = frozenset({"const", "default", "example"})


def standard_spelling(schema: Schema, depth: int = MAX_DEPTH) -> dict[str, object]:
    """Returns a schema as JSON Schema spells it, at all levels down to `depth`: types by their names, no keyword with
    null (which serializers write for what is absent), and an empty list of properties (PHP's empty array) as none."""
    if depth == 0:
        return dict(schema)
    standard: dict[str, object] = {}
    for keyword, value in schema.items():
        if value is None and keyword not in _MEANINGFUL_NULLS:
            continue
        if keyword != "type":
            standard[keyword] = _respell_parts(keyword, value, depth - 1)
        elif (kind := _standard_type(value)) != "any":
            standard[keyword] = kind
    return standard


def _standard_type(value: object) -> object:
    """Returns the value of "type" with JSON Schema's names, as far as it is known what is meant."""
    if isinstance(value, list):
        kinds = [_standard_type(kind) for kind in value]
        return "any" if "any" in kinds else kinds
    if not isinstance(value, str):
        return value
    return "any" if value.lower() == "any" else _TYPE_NAMES.get(value.lower(), value)


def _respell_parts(keyword: str, value: object, depth: int) -> object:
    def respell(part: object) -> object:
        return standard_spelling(part, depth) if isinstance(part, Mapping) else part

    if keyword in NAMED:
        if value == []:
            return {}
        return {name: respell(part) for name, part in value.items()} if isinstance(value, Mapping) else value
    if keyword in LISTED and isinstance(value, list):
        return [respell(part) for part in value]
    return respell(value) if keyword in SINGLE else value
