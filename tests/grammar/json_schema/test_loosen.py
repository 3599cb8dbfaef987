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
    ("part", "enforced", "note"),
    [
        ({"type": "nonsense", "maxLength": 3}, {"maxLength": 3}, '"type" cannot be "nonsense"'),
        ({"type": "string", "minLength": "1"}, {"type": "string"}, '"minLength" cannot be "1"'),
        ({"type": "string", "format": ["date"]}, {"type": "string"}, '"format" cannot be ["date"]'),
        ({"type": "array", "items": "string"}, {"type": "array"}, '"items" cannot be "string"'),
        ({"type": "object", "required": "a"}, {"type": "object"}, '"required" cannot be "a"'),
        ({"type": "object", "properties": ["a"]}, {"type": "object"}, '"properties" cannot be ["a"]'),
        ({"type": "number", "multipleOf": 0}, {"type": "number"}, '"multipleOf" cannot be 0'),
    ],
)
def test_a_keyword_with_a_value_that_it_cannot_have_is_left_out(part: Any, enforced: Any, note: str) -> None:
    assert loosen(part) == (enforced, (f"#/properties/v: {note}",))


def test_a_choice_among_nothing_is_no_choice() -> None:
    loose = loosen_schema('{"type": "object", "properties": {"a": {"enum": []}}, "required": ["a"]}')
    assert json.loads(loose.text)["properties"] == {"a": {}}
    assert loose.notes == ('#/properties/a: "enum" cannot be []',)


def test_a_property_that_is_no_schema_may_have_any_value() -> None:
    assert loosen("string") == ({}, ('#/properties/v: "string" is no schema, so any value is allowed',))  # type: ignore[arg-type]


def test_a_required_member_without_a_schema_may_have_any_value() -> None:
    loose = loosen_schema('{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a", "b"]}')
    assert json.loads(loose.text)["properties"] == {"a": {"type": "integer"}, "b": {}}
    assert loose.notes == ('#: "required" names "b", which "properties" does not',)


def test_a_required_member_that_is_forbidden_is_not_required() -> None:
    schema = {"type": "object", "properties": {"a": {}}, "required": ["a", "b"], "additionalProperties": False}
    assert json.loads(loosen_schema(json.dumps(schema)).text)["required"] == ["a"]


def test_a_property_that_nothing_matches_may_have_any_value_and_the_others_stay() -> None:
    impossible = {"type": "integer", "minimum": 5, "maximum": 1}
    other = {"type": "string", "maxLength": 3}
    schema = {"type": "object", "properties": {"a": impossible, "b": other}, "required": ["a", "b"]}
    loose = loosen_schema(json.dumps(schema))
    assert json.loads(loose.text) == schema | {"properties": {"a": {}, "b": other}}
    assert loose.notes[0].startswith("#/properties/a: any value is allowed: nothing can satisfy the schema")


def test_a_definition_that_requires_itself_costs_only_the_properties_that_refer_to_it() -> None:
    endless = {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/$defs/a"}}}
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": endless}}
    assert json.loads(loosen_schema(json.dumps(schema)).text) == {"type": "object", "properties": {"a": {}}}


def test_a_schema_that_means_nothing_is_any_object() -> None:
    endless = {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/$defs/a"}}}
    loose = loosen_schema(json.dumps({"$ref": "#/$defs/a", "$defs": {"a": endless}, "type": "object"}))
    assert json.loads(loose.text) == {"type": "object"}
    assert loose.notes[0].startswith("only an object is required: ")
