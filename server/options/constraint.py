"""Constraint: the grammar that the text of a completion has to match, in every spelling that a request may use."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import orjson
from pydantic import PlainValidator, ValidationInfo, WithJsonSchema

from grammar.source import GrammarSource
from server.http.fields import as_boolean, as_string, as_strings, invalid_value
from slots.requests.params import Takes

SCHEMA_SHAPES = "a JSON schema, which is an object or true"
SCHEMA_OR_TEXT = f"{SCHEMA_SHAPES}, or the text of one"
FORMATS = '{"type": "text"}, {"type": "json_object"} or {"type": "json_schema", "json_schema": {"schema": ...}}'
STRUCTURED_OUTPUTS = "an object with one of json, json_object, regex, choice and grammar"
ANY_OBJECT = GrammarSource("json_schema", '{"type":"object"}')

Reader = Callable[[str, object], GrammarSource | None]


@dataclass(frozen=True, slots=True)
class Constraint:
    name: str
    """The field of the request, or the flag, that the grammar comes from."""
    source: GrammarSource


def constraint_json(constraint: Constraint | None) -> dict[str, object]:
    """Returns the grammar under the name of the option for its kind; `grammar` is always among them."""
    result: dict[str, object] = {"grammar": ""}
    if constraint is not None:
        kind, text = constraint.source.kind, constraint.source.text
        if kind == "gbnf":
            result["grammar"] = text
        else:
            result[kind] = text if kind == "regex" else _on_one_line(text)
    return result


def _on_one_line(text: str) -> orjson.Fragment:
    """JSON as it was sent: events are lines."""
    return orjson.Fragment(text.replace("\n", " ").replace("\r", " "))


def _read_gbnf(name: str, value: object) -> GrammarSource | None:
    text = as_string(name, value)
    return GrammarSource("gbnf", text) if text else None


def _read_regex(name: str, value: object) -> GrammarSource:
    return GrammarSource("regex", as_string(name, value))


def _read_choice(name: str, value: object) -> GrammarSource:
    return GrammarSource("choice", orjson.dumps(as_strings(name, value)).decode())


def _read_schema(name: str, value: object, shapes: str = SCHEMA_SHAPES) -> GrammarSource:
    if not isinstance(value, dict | bool):
        raise invalid_value(name, shapes, value)
    return GrammarSource("json_schema", orjson.dumps(value).decode())


def _read_schema_or_text(name: str, value: object) -> GrammarSource:
    if isinstance(value, str):
        return GrammarSource("json_schema", value)
    return _read_schema(name, value, SCHEMA_OR_TEXT)


def _read_response_format(name: str, value: object) -> GrammarSource | None:
    if not isinstance(value, dict):
        raise invalid_value(name, FORMATS, value)
    match value.get("type"):
        case "text":
            return None
        case "json_object":
            return _read_object_schema(f"{name}.schema", value.get("schema"))
        case "json_schema":
            if value.get("json_schema") is None and value.get("schema") is not None:
                return _read_schema(f"{name}.schema", value["schema"])  # as llama.cpp's documentation has it
            return _read_wrapped_schema(f"{name}.json_schema", value.get("json_schema"))
    raise invalid_value(name, FORMATS, value)


def _read_structured_outputs(name: str, value: object) -> GrammarSource | None:
    given = {kind: part for kind, part in value.items() if part is not None} if isinstance(value, dict) else {}
    if len(given) != 1:
        raise invalid_value(name, STRUCTURED_OUTPUTS, value)
    [(kind, part)] = given.items()
    member = f"{name}.{kind}"
    match kind:
        case "json":
            return _read_schema_or_text(member, part)
        case "json_object":
            return ANY_OBJECT if as_boolean(member, part) else None
        case "regex":
            return _read_regex(member, part)
        case "choice":
            return _read_choice(member, part)
        case "grammar":
            return _read_gbnf(member, part)
    raise invalid_value(name, STRUCTURED_OUTPUTS, value)


def _read_object_schema(name: str, schema: object) -> GrammarSource:
    """A schema that allows everything still requires an object."""
    source = ANY_OBJECT if schema is None else _read_schema(name, schema)
    return ANY_OBJECT if source.text in ("{}", "true") else source


def _read_wrapped_schema(name: str, wrapper: object) -> GrammarSource:
    if not isinstance(wrapper, dict):
        raise invalid_value(name, "an object with schema", wrapper)
    return _read_schema(f"{name}.schema", wrapper.get("schema"))


def _read_with(read: Reader) -> PlainValidator:
    def validate(value: object, info: ValidationInfo) -> Constraint | None:
        if isinstance(value, Constraint):  # of a flag
            return value
        assert info.field_name
        source = read(info.field_name, value)
        return None if source is None else Constraint(info.field_name, source)

    return PlainValidator(validate)


TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
SCHEMA = {"type": ["object", "boolean"]}

Gbnf = Annotated[Constraint | None, Takes("a string"), _read_with(_read_gbnf), WithJsonSchema(TEXT)]
Regex = Annotated[Constraint | None, Takes("a string"), _read_with(_read_regex), WithJsonSchema(TEXT)]
Choice = Annotated[Constraint | None, Takes("a list of strings"), _read_with(_read_choice), WithJsonSchema(TEXTS)]
JsonSchema = Annotated[Constraint | None, Takes(SCHEMA_SHAPES), _read_with(_read_schema), WithJsonSchema(SCHEMA)]
JsonSchemaOrText = Annotated[
    Constraint | None,
    Takes(SCHEMA_OR_TEXT),
    _read_with(_read_schema_or_text),
    WithJsonSchema({"type": ["object", "boolean", "string"]}),
]
StructuredOutputs = Annotated[
    Constraint | None,
    Takes(STRUCTURED_OUTPUTS),
    _read_with(_read_structured_outputs),
    WithJsonSchema(
        {
            "type": "object",
            "properties": {
                "json": {"type": ["object", "boolean", "string"]},
                "json_object": {"type": "boolean"},
                "regex": TEXT,
                "choice": TEXTS,
                "grammar": TEXT,
            },
        }
    ),
]
ResponseFormat = Annotated[
    Constraint | None,
    Takes(FORMATS),
    _read_with(_read_response_format),
    WithJsonSchema(
        {
            "type": "object",
            "properties": {
                "type": {"enum": ["text", "json_object", "json_schema"]},
                "json_schema": {"type": "object", "properties": {"schema": SCHEMA}, "required": ["schema"]},
                "schema": SCHEMA,
            },
            "required": ["type"],
        }
    ),
]
