import json
from typing import Any

import pytest

from grammar.json_schema.loosen import loosen_schema


def loosen(part: dict[str, Any]) -> tuple[Any, tuple[str, ...]]:
    """Returns a property's schema as it is enforced, and what is said about it."""
    loose = loosen_schema(json.dumps({"type": "object", "properties": {"v": part}}))
    return json.loads(loose.text)["properties"]["v"], loose.notes


def test_what_can_be_enforced_stays_to_the_letter() -> None:
    text = '{"type": "object",  "properties": {"v": {"type": "string", "pattern": "^a+$", "format": "date"}}}'
    loose = loosen_schema(text.replace(', "format": "date"', ""))
    assert (loose.text, loose.notes) == (text.replace(', "format": "date"', ""), ())


def test_large_integers_are_enforced() -> None:
    part = {"enum": [1, 2**60 + 1]}
    assert loosen(part) == (part, ())


@pytest.mark.parametrize(
    ("part", "enforced", "keyword"),
    [
        ({"type": "array", "uniqueItems": True}, {"type": "array"}, '"uniqueItems" is not enforced'),
        ({"type": "object", "propertyNames": {}}, {"type": "object"}, '"propertyNames" is not enforced'),
        ({"type": "object", "dependentRequired": {}}, {"type": "object"}, '"dependentRequired" is not enforced'),
        ({"type": "string", "format": "int64"}, {"type": "string"}, 'the format "int64" is not enforced'),
        ({"type": "string", "pattern": "^(?!a)b$"}, {"type": "string"}, "the pattern is not enforced"),
        ({"type": "string", "pattern": r"\bfoo\b"}, {"type": "string"}, "the pattern is not enforced"),
        ({"type": "string", "pattern": r"^(a|b)\1$"}, {"type": "string"}, "the pattern is not enforced"),
        ({"$ref": "http://x/y"}, {}, '"$ref" to http://x/y is not enforced'),
        (
            {"const": 2**60 + 1, "minimum": 0},
            {"minimum": 0, "type": "integer"},
            "integers beyond 2^53 are not enforced",
        ),
    ],
)
def test_what_cannot_be_enforced_is_left_out_and_named(part: Any, enforced: Any, keyword: str) -> None:
    assert loosen(part) == (enforced, (f"#/properties/v: {keyword}",))


def test_the_rest_of_the_schema_is_still_enforced() -> None:
    part, notes = loosen({"type": "string", "maxLength": 3, "format": "password", "pattern": "^[a-z]+$"})
    assert part == {"type": "string", "maxLength": 3, "pattern": "^[a-z]+$"}
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("part", "enforced"),
    [
        ({"anyOf": [{"not": {}}, {"type": "string"}]}, {"anyOf": [{"type": "string"}]}),
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        (
            {"enum": ["a"], "nullable": True},
            {"anyOf": [{"enum": ["a"]}, {"type": "null"}]},
        ),
        (
            {"oneOf": [{"type": "string"}, {"type": "string", "minLength": 2}]},
            {"anyOf": [{"type": "string"}, {"type": "string", "minLength": 2}]},
        ),
    ],
)
def test_other_spellings_mean_what_their_writers_mean(part: Any, enforced: Any) -> None:
    assert loosen(part) == (enforced, ())


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"type": "nonsense"}}},
        {
            "$ref": "#/$defs/a",
            "$defs": {"a": {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/$defs/a"}}}},
        }
        | {"type": "object"},
    ],
)
def test_a_schema_that_means_nothing_is_any_object(schema: dict[str, Any]) -> None:
    loose = loosen_schema(json.dumps(schema))
    assert json.loads(loose.text) == {"type": "object"}
    assert loose.notes[0].startswith("only an object is required: ")
