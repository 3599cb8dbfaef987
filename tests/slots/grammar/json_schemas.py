"""JSON schemas of the kinds that people send, with short values, so that a small model finishes them."""

import enum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Schema = dict[str, Any]

WORD: Schema = {"type": "string", "maxLength": 12}
SMALL: Schema = {"type": "integer", "minimum": 0, "maximum": 99}


def record(required: list[str] | None = None, **properties: Any) -> Schema:
    """An object with only these members; by default all are required."""
    names = list(properties) if required is None else required
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


def array(items: Any, **bounds: Any) -> Schema:
    """An array, by default of at most four values."""
    return {"type": "array", "items": items, "maxItems": 4, **bounds}


def text(**options: Any) -> Schema:
    """A string."""
    return {"type": "string", **options}


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


class Address(BaseModel):
    model_config = ConfigDict(extra="forbid")
    street: str = Field(max_length=20)
    number: int = Field(ge=1, le=999)
    postcode: str = Field(pattern=r"^[0-9]{5}$")


class Person(BaseModel):
    """As pydantic spells its models: $defs, anyOf with null, enums, defaults, titles."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=16)
    age: int | None = Field(default=None, ge=0, le=130)
    size: Size
    kind: Literal["friend", "stranger"] = "friend"
    scores: list[float] = Field(max_length=3)
    home: Address
    other: Address | None = None


TREE: Schema = {
    "$defs": {
        "node": record(
            name=text(maxLength=6), children={"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 1}
        )
    },
    "$ref": "#/$defs/node",
}
LINKED_LIST: Schema = {
    "$defs": {"link": record(value=SMALL, next={"anyOf": [{"type": "null"}, {"$ref": "#/$defs/link"}]})},
    "$ref": "#/$defs/link",
}
EXPRESSION: Schema = {
    "definitions": {
        "term": {
            "anyOf": [
                SMALL,
                record(op={"enum": ["+", "-", "*"]}, left={"$ref": "#/definitions/term"}, right=SMALL),
            ]
        }
    },
    "$ref": "#/definitions/term",
}

SCHEMAS: dict[str, Schema] = {
    # Values
    "boolean": {"type": "boolean"},
    "null": {"type": "null"},
    "string": text(maxLength=20),
    "string of a length": text(minLength=3, maxLength=5),
    "string with a pattern": text(pattern="^[A-Z]{2}-[0-9]{4}$"),
    "string with a pattern that is anchored on neither side": text(pattern="[0-9]{2}", maxLength=10),
    "string with a pattern and a length": text(pattern="^[a-z]+$", minLength=2, maxLength=6),
    "string with alternatives in its pattern": text(pattern=r"^(yes|no|maybe\?)$"),
    "enum of strings": {"type": "string", "enum": ["red", "green", "blue"]},
    "enum of several types": {"enum": ["red", 1, 2.5, None, True, {"a": [1]}]},
    "enum beyond ASCII": {"enum": ["größer", "日本", 'a"b\\c\n', "🙂"]},
    "const": {"const": {"version": 2, "tags": ["a", "b"]}},
    "several types": {"type": ["integer", "boolean", "null"], "minimum": 0, "maximum": 9},
    # Formats
    "date": text(format="date"),
    "time": text(format="time", maxLength=14),
    "date-time": text(format="date-time", maxLength=26),
    "email": text(format="email", maxLength=30),
    "uuid": text(format="uuid"),
    "ipv4": text(format="ipv4"),
    "ipv6": text(format="ipv6"),
    "hostname": text(format="hostname", maxLength=24),
    # Numbers
    "integer": {"type": "integer", "minimum": -100000, "maximum": 100000},
    "integer in a range": {"type": "integer", "minimum": -17, "maximum": 4321},
    "integer between exclusive bounds": {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 21},
    "number in a range": {"type": "number", "minimum": -1.5, "maximum": 2.75},
    "number between exclusive bounds": {"type": "number", "exclusiveMinimum": -2, "exclusiveMaximum": 3.5},
    "number with one bound": record(price={"type": "number", "minimum": 0.5}),
    "multiple of an integer": {"type": "integer", "multipleOf": 5, "minimum": 0, "maximum": 1000},
    "multiple of a fraction": {"type": "number", "multipleOf": 0.25, "minimum": 0, "maximum": 10},
    # Arrays
    "array": array(SMALL),
    "array with bounds": array(WORD, minItems=2, maxItems=3),
    "array of an exact length": array({"type": "boolean"}, minItems=3, maxItems=3),
    "arrays in an array": array(
        array({"type": "number", "minimum": 0, "maximum": 1}, minItems=2, maxItems=2), minItems=1
    ),
    "tuple": {"type": "array", "prefixItems": [WORD, SMALL, {"type": "boolean"}], "items": False, "minItems": 3},
    "tuple with more behind it": array(SMALL, prefixItems=[{"const": "head"}], minItems=2, maxItems=4),
    # Objects
    "record": record(name=WORD, age=SMALL, is_member={"type": "boolean"}),
    "record with optional members": record(
        ["id"], id=SMALL, name=WORD, note={"type": ["string", "null"], "maxLength": 9}
    ),
    "record in records": record(
        user=record(name=record(first=WORD, last=WORD), age=SMALL), tags=array(WORD, maxItems=2)
    ),
    "record of arrays of records": record(
        items=array(record(sku=text(pattern="^[A-Z]{3}[0-9]{3}$"), n=SMALL), minItems=1)
    ),
    "map": {"type": "object", "additionalProperties": SMALL, "maxProperties": 3},
    "map with a member that is required": {
        "type": "object",
        "properties": {"id": SMALL},
        "required": ["id"],
        "additionalProperties": {"type": "boolean"},
        "maxProperties": 3,
    },
    "map with patterns for its keys": {
        "type": "object",
        "patternProperties": {"^n_[a-z]{1,4}$": SMALL, "^s_[a-z]{1,4}$": WORD},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 3,
    },
    "open record": {"type": "object", "properties": {"id": SMALL}, "required": ["id"], "maxProperties": 2},
    # Combinations
    "anyOf": {"anyOf": [SMALL, WORD, {"type": "null"}]},
    "oneOf of records": {
        "oneOf": [
            record(kind={"const": "circle"}, radius={"type": "number", "minimum": 0, "maximum": 10}),
            record(kind={"const": "square"}, side={"type": "integer", "minimum": 1, "maximum": 9}),
        ]
    },
    "allOf": {
        "allOf": [
            {"type": "object", "properties": {"id": SMALL}, "required": ["id"]},
            {"type": "object", "properties": {"name": WORD}, "required": ["name"]},
        ],
        "maxProperties": 2,
    },
    "$defs": {
        "$defs": {"point": record(x=SMALL, y=SMALL)},
        **record(a={"$ref": "#/$defs/point"}, b={"$ref": "#/$defs/point"}),
    },
    "tree": TREE,
    "linked list": LINKED_LIST,
    "expression": EXPRESSION,
    # As tools send them
    "function call": record(
        name={"type": "string", "enum": ["get_weather", "get_time"]},
        arguments=record(["city"], city=WORD, unit={"type": "string", "enum": ["C", "F"], "default": "C"}),
    ),
    "pydantic": Person.model_json_schema(),
}

REFUSED: dict[str, tuple[Schema, str]] = {
    "not": ({"not": {"type": "null"}}, '"not"'),
    "if": ({"type": "object", "if": {"required": ["a"]}, "then": {"required": ["b"]}}, '"if"'),
    "uniqueItems": (array(SMALL, uniqueItems=True), '"uniqueItems"'),
    "contains": (array(SMALL, contains={"const": 1}), '"contains"'),
    "propertyNames": ({"type": "object", "propertyNames": WORD}, '"propertyNames"'),
    "dependentRequired": ({"type": "object", "dependentRequired": {"a": ["b"]}}, '"dependentRequired"'),
    "unevaluatedProperties": ({"type": "object", "unevaluatedProperties": False}, '"unevaluatedProperties"'),
    "a format that is not known": (text(format="iban"), '"iban"'),
    "oneOf of schemas that overlap": ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, '"oneOf"'),
    "a pattern that looks ahead": (text(pattern="^(?=a)[a-z]+$"), "look-around"),
    "a reference that leads nowhere": ({"$ref": "#/$defs/nothing"}, 'no "#/$defs/nothing"'),
    "a type that there is not": ({"type": "text"}, "Invalid type: text"),
    "a range without numbers": ({"type": "integer", "minimum": 2, "maximum": 1}, "nothing can satisfy"),
    "a schema that requires itself": (
        {"$defs": {"a": record(a={"$ref": "#/$defs/a"})}, "$ref": "#/$defs/a"},
        "requires itself",
    ),
    "false": ({"allOf": [False]}, "nothing can satisfy"),
}
"""Schemas that cannot be used, and what the message about each has to say."""
