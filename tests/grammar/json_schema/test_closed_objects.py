from typing import Any

import pytest

from grammar.json_schema.closed_objects import close_objects

PET: dict[str, Any] = {"type": "object", "properties": {"name": {"type": "string"}}}
CLOSED_PET = PET | {"additionalProperties": False}


@pytest.mark.parametrize(
    ("given", "closed"),
    [
        (PET, CLOSED_PET),
        ({"properties": {"pet": PET}}, {"properties": {"pet": CLOSED_PET}, "additionalProperties": False}),
        ({"items": PET, "prefixItems": [PET]}, {"items": CLOSED_PET, "prefixItems": [CLOSED_PET]}),
        ({"anyOf": [PET, {"type": "null"}]}, {"anyOf": [CLOSED_PET, {"type": "null"}]}),
        (
            {"$ref": "#/$defs/Pet", "$defs": {"Pet": PET}},
            {"$ref": "#/$defs/Pet", "$defs": {"Pet": CLOSED_PET}},
        ),
    ],
)
def test_objects_get_no_members_but_those_that_are_named(given: dict[str, Any], closed: dict[str, Any]) -> None:
    assert close_objects(given) == closed


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        PET | {"additionalProperties": {"type": "integer"}},
        PET | {"patternProperties": {"^x-": {}}},
        {"allOf": [PET, {"properties": {"age": {}}}]},
        PET | {"anyOf": [{"properties": {"age": {}}}, {"properties": {"size": {}}}]},
        {"allOf": [{"$ref": "#/$defs/Pet"}, {"properties": {"age": {}}}], "$defs": {"Pet": PET}},
    ],
)
def test_objects_that_may_have_other_members_stay_open(schema: dict[str, Any]) -> None:
    assert close_objects(schema) == schema


def test_words_of_a_schema_that_are_no_schemas_stay_as_they_are() -> None:
    value = {"properties": {"a": 1}}
    schema = {"const": value, "default": value, "examples": [value], "enum": [value]}
    assert close_objects(schema) == schema
