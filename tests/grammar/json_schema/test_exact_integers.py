"""Integers of more than 53 bits in schemas."""

import json
import re
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grammar.errors import GrammarError
from grammar.json_schema.integer_range import range_to_regex
from tests.grammar.byte_level import compile_grammar, matches

SNOWFLAKE = 1234567890123456789
LARGE = [SNOWFLAKE - 1, SNOWFLAKE, SNOWFLAKE + 1, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1]
SCALARS = [*LARGE, 0, -1, 7, 1.5, None, True, "", "a"]
VALUES = [
    *SCALARS,
    *([value] for value in SCALARS),
    *([SNOWFLAKE, value] for value in SCALARS),
    *({"id": value} for value in SCALARS),
    *({"id": SNOWFLAKE, "name": value} for value in SCALARS),
    *({"id": SNOWFLAKE, "kids": [{"id": value}]} for value in SCALARS),
    [],
    [SNOWFLAKE] * 3,
    [SNOWFLAKE] * 4,
    {},
    {"name": "a"},
    {"name": "a", "age": 7},
    {"id": SNOWFLAKE, "name": "a", "age": 7},
    {"id": SNOWFLAKE, "kids": [{"id": SNOWFLAKE, "kids": []}, {"id": SNOWFLAKE}]},
    {"a": SNOWFLAKE, "b": [SNOWFLAKE, {"c": "a"}]},
    {"x": SNOWFLAKE, "y": SNOWFLAKE},
]
NAME, AGE = {"type": "string"}, {"type": "integer"}
TREE = {
    "type": "object",
    "properties": {"id": {"const": SNOWFLAKE}, "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
    "required": ["id"],
    "additionalProperties": False,
}


def closed(required: list[str], **properties: object) -> dict[str, object]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


@pytest.mark.parametrize(
    "schema",
    [
        {"const": SNOWFLAKE},
        {"const": 2**64 - 1},
        {"enum": [SNOWFLAKE, 7, "a", None, [SNOWFLAKE]]},
        {"enum": [SNOWFLAKE, "a", True], "type": ["integer", "boolean"]},
        {"const": {"a": SNOWFLAKE, "b": [SNOWFLAKE, {"c": "a"}]}},
        {"type": "integer", "minimum": SNOWFLAKE},
        {"type": "integer", "maximum": SNOWFLAKE},
        {"type": "integer", "exclusiveMinimum": SNOWFLAKE, "exclusiveMaximum": 2**63},
        {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
        {"type": "integer", "minimum": 0, "maximum": 2**64 - 1},
        {"type": ["integer", "null", "string"], "maximum": 2**63 - 1},
        closed(["id"], id={"const": SNOWFLAKE}, name=NAME, age=AGE),
        closed(["name"], id={"const": SNOWFLAKE}, name=NAME, age=AGE),
        closed([], id={"enum": [SNOWFLAKE]}, name=NAME, age=AGE),
        closed(["age"], id={"const": SNOWFLAKE}, name=NAME, age=AGE),
        {"type": "object", "additionalProperties": {"const": SNOWFLAKE}},
        {"type": "array", "items": {"const": SNOWFLAKE}},
        {"type": "array", "items": {"const": SNOWFLAKE}, "minItems": 2, "maxItems": 3},
        {"type": "array", "items": {"const": SNOWFLAKE}, "minItems": 1},
        {"type": "array", "prefixItems": [{"const": SNOWFLAKE}, NAME], "items": False},
        {"type": "array", "prefixItems": [{"const": SNOWFLAKE}], "items": AGE, "minItems": 1, "maxItems": 2},
        {"type": "array", "prefixItems": [NAME, {"const": SNOWFLAKE}], "minItems": 2},
        {"anyOf": [{"const": SNOWFLAKE}, NAME]},
        {"allOf": [{"const": SNOWFLAKE}], "description": "the id"},
        {"$ref": "#/$defs/tree", "$defs": {"tree": TREE}},
        {"$defs": {"id": {"const": SNOWFLAKE}, "name": NAME}, **closed(
            ["id"], id={"$ref": "#/$defs/id"}, name={"$ref": "#/$defs/name"}
        )},
        {**closed(["id"], id={"const": SNOWFLAKE}, name={"anyOf": [{"$ref": "#/properties/age"}, NAME]}, age=AGE)},
    ],
)  # fmt: skip
def test_a_value_matches_if_it_is_valid(schema: Any) -> None:
    grammar = compile_grammar(json.dumps(schema), "json_schema")
    validator = jsonschema.Draft202012Validator(schema)
    for value in VALUES:
        assert matches(grammar, json.dumps(value)) == validator.is_valid(value), value


def test_a_tuple_of_older_drafts_is_one_here_too() -> None:
    schema = {"type": "array", "items": [{"const": SNOWFLAKE}, {"type": "string"}], "additionalItems": False}
    grammar = compile_grammar(json.dumps(schema), "json_schema")
    validator = jsonschema.Draft7Validator(schema)
    for value in VALUES:
        assert matches(grammar, json.dumps(value)) == validator.is_valid(value), value


def test_white_space_is_that_of_other_schemas() -> None:
    grammar = compile_grammar(json.dumps(closed(["id"], id={"const": SNOWFLAKE}, name=NAME)), "json_schema")
    assert matches(grammar, f'{{\n  "id": {SNOWFLAKE},\n  "name": "a"\n}}')
    assert not matches(grammar, f'{{"id":  {SNOWFLAKE}}}')
    assert not matches(grammar, f' {{"id": {SNOWFLAKE}}}')
    assert not matches(grammar, f'{{"id": {SNOWFLAKE}}}\n')


def test_where_no_rules_can_be_made_it_is_an_error_with_the_place() -> None:
    schema = {"type": "object", "patternProperties": {"^x": {"const": SNOWFLAKE}}}
    with pytest.raises(GrammarError, match=r'"const" or "enum" of the schema, at # or below, .* would be rounded'):
        compile_grammar(json.dumps(schema), "json_schema")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "minimum": 2**60, "maximum": 2**60 - 1},
        {"const": SNOWFLAKE, "type": "string"},
        {"const": SNOWFLAKE, "enum": [7]},
    ],
)
def test_a_schema_without_values_is_an_error(schema: object) -> None:
    with pytest.raises(GrammarError, match="nothing can satisfy the schema"):
        compile_grammar(json.dumps(schema), "json_schema")


bounds = st.none() | st.integers(-1100, 1100) | st.integers(-(2**64), 2**64)


@settings(max_examples=300, deadline=None)
@given(bounds, bounds, st.lists(st.integers(-(2**65), 2**65), max_size=20))
def test_a_range_matches_its_integers_and_no_others(low: int | None, high: int | None, others: list[int]) -> None:
    expression = range_to_regex(low, high)
    near = [bound + difference for bound in (low, high, 0) if bound is not None for difference in range(-11, 12)]
    for number in near + others:
        is_inside = (low is None or low <= number) and (high is None or number <= high)
        assert (expression is not None and re.fullmatch(expression, str(number)) is not None) == is_inside, number
    assert expression is None or not re.fullmatch(expression, "-0")
    assert expression is None or not re.fullmatch(expression, "007")
