from typing import Any

import pytest

from grammar.json_schema.spellings import standard_spelling


def respell(part: dict[str, Any]) -> Any:
    """Returns a property's schema with the spelling of JSON Schema."""
    return standard_spelling({"type": "object", "properties": {"v": part}})["properties"]["v"]  # type: ignore[index]


def test_json_schema_stays_as_it_is() -> None:
    schema = {
        "type": "object",
        "properties": {"v": {"type": ["string", "null"], "enum": ["a", None], "default": None}, "c": {"const": None}},
        "required": ["v"],
        "additionalProperties": False,
    }
    assert standard_spelling(schema) == schema


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        ({"type": "STRING"}, {"type": "string"}),
        ({"type": "float"}, {"type": "number"}),
        (
            {"type": "dict", "properties": {"n": {"type": "int"}}},
            {"type": "object", "properties": {"n": {"type": "integer"}}},
        ),
        ({"type": "list", "items": {"type": "str"}}, {"type": "array", "items": {"type": "string"}}),
        ({"type": ["Integer", "none"]}, {"type": ["integer", "null"]}),
        ({"type": "any", "description": "d"}, {"description": "d"}),
        ({"anyOf": [{"type": "bool"}, {"type": "ARRAY"}]}, {"anyOf": [{"type": "boolean"}, {"type": "array"}]}),
    ],
)
def test_types_have_the_names_of_other_languages(spelled: Any, meant: Any) -> None:
    assert respell(spelled) == meant


def test_a_keyword_that_is_null_is_absent() -> None:
    nulls = {"enum": None, "items": None, "minimum": None, "required": None, "additionalProperties": None, "$ref": None}
    assert respell({"type": "string", "description": None, **nulls}) == {"type": "string"}


def test_an_empty_list_of_properties_is_no_properties() -> None:
    assert respell({"type": "object", "properties": []}) == {"type": "object", "properties": {}}


def test_what_nobody_can_know_stays() -> None:
    part = {"type": "whatever", "properties": ["a"], "items": "string"}
    assert respell(part) == part


def test_the_names_of_members_are_no_keywords() -> None:
    schema = {"properties": {"type": {"type": "INT"}, "properties": {"type": "LIST"}}}
    assert standard_spelling(schema) == {"properties": {"type": {"type": "integer"}, "properties": {"type": "array"}}}
