"""Values: what the schema of an argument allows, with strings apart from the rest, since they have no quotes in many
formats."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grammar.call_arguments.strings import Strings, can_be_expressed
from grammar.json_schema.subschemas import Schema, SchemaReader

KINDS = ("integer", "number", "boolean", "null", "object", "array")
"""Of values that are no strings, by the names of JSON Schema."""
_STRING_KEYWORDS = frozenset({"pattern", "minLength", "maxLength", "format"})
_KEYWORDS_OF_KINDS = {
    "object": frozenset({"properties", "required", "additionalProperties", "patternProperties"}),
    "array": frozenset({"items", "prefixItems", "minItems", "maxItems"}),
    "number": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}),
    "string": _STRING_KEYWORDS,
}
_COMBINING = frozenset({"anyOf", "oneOf", "allOf", "$ref", "const", "enum", "not"})
_LITERALS = {"true": "boolean", "false": "boolean", "null": "null"}
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Value:
    """What a schema allows."""

    schema: str
    """As JSON text, which stands on its own."""
    strings: Strings | None = None
    """None if there are none, or if they are not told apart."""
    others: tuple[tuple[str, Any], ...] = ()
    """Schemas of other values, each with its kind."""
    is_split: bool = True
    """Whether strings and others are all that there is. Otherwise all values, strings too, are written as JSON."""

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(kind for kind, _ in self.others)

    def kind_of_bare(self, text: str) -> str:
        """Returns of which kind a text without quotes is, if strings have none."""
        if self.strings is None:
            return "json"
        kind = kind_of_text(text)
        if kind == "integer" and "number" in self.kinds:
            return "number"
        return kind if kind in self.kinds else "string"


ANY_VALUE = Value("{}", Strings(), tuple((kind, {"type": kind}) for kind in KINDS))


def kind_of_text(text: str) -> str:
    """Returns the kind of a JSON text that is not a string, or "string" for any other text."""
    text = text.strip()
    if number := _NUMBER.fullmatch(text):
        return "number" if number[2] or number[3] else "integer"
    if text[:1] in ("{", "["):
        try:
            return "object" if isinstance(json.loads(text), dict) else "array"
        except (ValueError, RecursionError):
            return "string"
    return _LITERALS.get(text, "string")


def read_value(schema: object, root: Schema, *, has_bare_strings: bool) -> Value:
    """Returns what a part of the schema `root` allows. Where strings are bare and something else could be taken for
    one that is allowed, or the other way round, all values are to be JSON."""
    text = json.dumps(_standalone(schema, root))
    parts = _split(schema, SchemaReader(root))
    if parts is None:
        return Value(text, is_split=False)
    strings, others = parts
    value = Value(text, _join(strings), tuple(others))
    if len(strings) > 1 and value.strings is None:
        return Value(text, is_split=False)
    if value.strings and not can_be_expressed(value.strings):
        return Value(text, is_split=False)
    if has_bare_strings and value.strings and others and not _can_be_told_apart(value.strings, others):
        return Value(text, is_split=False)
    return Value(text, value.strings, tuple((kind, _standalone(other, root)) for kind, other in others))


Parts = tuple[list[Strings], list[tuple[str, Any]]]


def _split(schema: object, reader: SchemaReader) -> Parts | None:
    """Returns what strings and what other values a schema allows; None if that is too complex to tell."""
    if schema is True or schema == {}:
        return [Strings()], list(ANY_VALUE.others)
    if not isinstance(schema, Mapping):
        return None
    combining = _COMBINING & schema.keys()
    if not combining:
        return _split_types(schema)
    others = {keyword for keyword in schema if keyword not in combining and _restricts(keyword)}
    if len(combining) > 1 or (others and not (combining <= {"const", "enum"} and others <= {"type"})):
        return None
    [keyword] = combining
    with reader.enter() as may_read:
        return _split_combination(keyword, schema[keyword], reader) if may_read else None


def _split_combination(keyword: str, value: object, reader: SchemaReader) -> Parts | None:
    match keyword:
        case "const":
            return _split_literals([value])
        case "enum" if isinstance(value, list):
            return _split_literals(value)
        case "$ref" if isinstance(value, str):
            return _split(reader.resolve(value), reader)
        case "anyOf" | "oneOf" | "allOf" if isinstance(value, list):
            if keyword == "allOf" and len(value) > 1:
                return None
            return _combine([_split(part, reader) for part in value])
    return None


def _restricts(keyword: str) -> bool:
    return keyword == "type" or any(keyword in keywords for keywords in _KEYWORDS_OF_KINDS.values())


def _combine(parts: Sequence[Parts | None]) -> Parts | None:
    strings: list[Strings] = []
    others: list[tuple[str, Any]] = []
    for part in parts:
        if part is None:
            return None
        strings += part[0]
        others += part[1]
    return strings, others


def _split_literals(values: Sequence[object]) -> Parts:
    texts = tuple(value for value in values if isinstance(value, str))
    others = [(_kind_of(value), {"const": value}) for value in values if not isinstance(value, str)]
    return ([Strings(values=texts)] if texts else []), others


def _kind_of(value: object) -> str:
    kinds: dict[type, str] = {bool: "boolean", int: "integer", float: "number", dict: "object", list: "array"}
    return kinds.get(type(value), "null")


def _split_types(schema: Schema) -> Parts:
    declared = schema.get("type")
    types = [declared] if isinstance(declared, str) else declared
    if not isinstance(types, list):
        inferred = [kind for kind, keywords in _KEYWORDS_OF_KINDS.items() if not keywords.isdisjoint(schema)]
        types = inferred or ["string", *KINDS]
    rest = {keyword: value for keyword, value in schema.items() if keyword not in _STRING_KEYWORDS}
    others = [(str(kind), {**rest, "type": kind}) for kind in types if kind != "string"]
    if "integer" in types and "number" in types:
        others = [(kind, other) for kind, other in others if kind != "integer"]
    return ([_read_strings(schema)] if "string" in types else []), others


def _read_strings(schema: Schema) -> Strings:
    pattern, form = schema.get("pattern"), schema.get("format")
    low, high = schema.get("minLength", 0), schema.get("maxLength")
    return Strings(
        pattern=pattern if isinstance(pattern, str) else None,
        format=form if isinstance(form, str) else None,
        min_length=low if isinstance(low, int) else 0,
        max_length=high if isinstance(high, int) else None,
    )


def _join(strings: Sequence[Strings]) -> Strings | None:
    """Returns what any of several sets of strings allows; None if that is not one set, or if there is none."""
    if any(each.are_free for each in strings):
        return Strings()
    if len(strings) > 1 and all(each.values is not None for each in strings):
        return Strings(values=tuple(dict.fromkeys(value for each in strings for value in each.values or ())))
    return strings[0] if len(strings) == 1 else None


def _can_be_told_apart(strings: Strings, others: Sequence[tuple[str, Any]]) -> bool:
    """Whether a bare text is allowed as what it looks like."""
    if strings.values is not None:
        return all(kind_of_text(value) == "string" for value in strings.values)
    scalars = [schema for kind, schema in others if kind not in ("object", "array")]
    return strings.are_free and not any(
        {"const", "enum"} & schema.keys() or _KEYWORDS_OF_KINDS["number"] & schema.keys() for schema in scalars
    )


def _standalone(schema: object, root: Schema) -> object:
    """Returns a part of a schema with what it refers to."""
    if not isinstance(schema, Mapping) or '"$ref"' not in json.dumps(schema):
        return schema
    definitions = {"root": _move_references(root)}
    return {**_move_references(schema), "$defs": definitions}


def _move_references(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Returns a schema in which references to its root lead to where that is a definition."""
    if isinstance(value, list):
        return [_move_references(part) for part in value]
    if not isinstance(value, dict):
        return value
    return {
        name: "#/$defs/root" + part[1:]
        if name == "$ref" and isinstance(part, str) and part.startswith("#")
        else _move_references(part)
        for name, part in value.items()
    }
