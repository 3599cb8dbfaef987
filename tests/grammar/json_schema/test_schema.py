import json
from typing import Any

import jsonschema
import pytest

from grammar.errors import GrammarError
from tests.grammar.byte_level import compile_grammar, matches

VALUES = [
    0,
    7,
    -3.5,
    "",
    "abc",
    "é",
    "2024-02-29",
    True,
    None,
    [],
    [1, 2],
    ["a"],
    {},
    {"a": 1},
    {"a": "x", "b": 2},
]


@pytest.mark.parametrize(
    "schema",
    [
        {},
        True,
        {"type": "integer", "minimum": 0},
        {"type": ["number", "null"]},
        {"type": "string", "minLength": 1, "maxLength": 4},
        {"type": "string", "pattern": "b"},
        {"type": "string", "format": "date"},
        {"enum": ["abc", 7, None, [1, 2]]},
        {"const": {"a": 1}},
        {"type": "array", "items": {"type": "integer"}, "minItems": 1},
        {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
        {"type": "object", "properties": {"a": {}}, "additionalProperties": False},
        {"anyOf": [{"type": "boolean"}, {"type": "string", "maxLength": 0}]},
        {"oneOf": [{"type": "integer"}, {"type": "array"}]},
        {"$ref": "#/$defs/x", "$defs": {"x": {"type": "array", "items": {"$ref": "#/$defs/x"}}}},
        {"allOf": [{"type": "object"}, {"required": ["b"]}], "properties": {"a": {}, "b": {}}},
    ],
)
def test_a_value_matches_if_it_is_valid(schema: Any) -> None:
    grammar = compile_grammar(json.dumps(schema), "json_schema")
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    for value in VALUES:
        assert matches(grammar, json.dumps(value, ensure_ascii=False)) == validator.is_valid(value), value


def test_members_come_in_the_order_of_the_schema() -> None:
    grammar = compile_grammar(
        '{"type": "object", "properties": {"b": {}, "a": {}}, "required": ["a", "b"]}', "json_schema"
    )
    assert matches(grammar, '{"b": 1, "a": 2}')
    assert not matches(grammar, '{"a": 2, "b": 1}')


def test_there_is_little_white_space_within_a_value_and_none_around_it() -> None:
    grammar = compile_grammar("{}", "json_schema")
    texts = ["[1,2]", "[1, 2]", "[\n  1,\n  2\n]", "[1,  2]", " 1", "1\n", f"[\n{' ' * 21}1]"]
    assert [matches(grammar, text) for text in texts] == [True, True, True, False, False, False, False]


def test_annotations_change_nothing() -> None:
    schema = '{"title": "t", "description": "d", "default": "x", "examples": [1], "x-mine": 1, "type": "integer"}'
    assert matches(compile_grammar(schema, "json_schema"), "1")


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("{", "the schema is not JSON: "),
        ('{"minimum": NaN}', "the schema is not JSON: NaN is not a JSON number"),
        ("[]", "a schema is an object, or true or false, got []"),
        ('{"type": "string", "type": "integer"}', 'the schema has "type" twice in one object'),
        ('{"uniqueItems": true}', 'the keyword "uniqueItems" of the schema, at #, is not supported'),
        (
            '{"properties": {"a/b": {"items": {"not": {}}}}}',
            'the keyword "not" of the schema, at #/properties/a~1b/items, is not supported',
        ),
        ('{"anyOf": [{"nullable": true}]}', 'the keyword "nullable" of the schema, at #/anyOf/0, is not supported'),
        ('{"x-guidance": {"lenient": true}}', 'the keyword "x-guidance" of the schema, at #, is not supported'),
        ('{"type": "string", "format": "phone"}', 'the schema cannot be used: the format "phone" is not supported'),
        ('{"type": "string", "pattern": "a("}', "the schema cannot be used: unclosed group"),
        ('{"type": "string", "pattern": "a\\\\b"}', "the schema cannot be used: word boundaries are not supported"),
        ('{"type": "foo"}', "the schema cannot be used: Invalid type: foo"),
        ('{"$ref": "#/$defs/x"}', 'the schema cannot be used: there is no "#/$defs/x" that "$ref" could refer to'),
        ('{"$ref": "https://x.org/y"}', 'the schema cannot be used: "$ref" refers to https://x.org/y, which is not'),
        (
            '{"oneOf": [{"type": "integer"}, {"type": "number"}]}',
            'the schema cannot be used: "oneOf" is supported only',
        ),
    ],
)
def test_what_is_wrong_with_a_schema_is_told(schema: str, message: str) -> None:
    with pytest.raises(GrammarError) as caught:
        compile_grammar(schema, "json_schema")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ("false", "it is false"),
        ('{"enum": []}', "anyOf is empty"),
        ('{"type": "integer", "minimum": 5, "maximum": 3}', "minimum (5) is greater than maximum (3)"),
        ('{"type": "string", "pattern": "^a$", "minLength": 3}', "no string has this pattern, format and length"),
        ('{"allOf": [{"type": "string"}, {"type": "integer"}]}', "incompatible types"),
        ('{"type": "object", "properties": {"a": false}, "required": ["a"]}', "required property 'a' is unsatisfiable"),
    ],
)
def test_a_schema_that_nothing_can_satisfy_is_refused(schema: str, reason: str) -> None:
    with pytest.raises(GrammarError) as caught:
        compile_grammar(schema, "json_schema")
    assert str(caught.value) == f"nothing can satisfy the schema: {reason}"


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]},
        {"type": "array", "items": {"$ref": "#"}, "minItems": 1},
        {"type": "array", "prefixItems": [{"allOf": [{"$ref": "#"}]}], "minItems": 1},
        {"anyOf": [{"$ref": "#/anyOf/1"}, {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}]},
    ],
)
def test_a_schema_that_requires_itself_is_refused(schema: Any) -> None:
    with pytest.raises(GrammarError, match="it requires itself"):
        compile_grammar(json.dumps(schema), "json_schema")


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "object", "properties": {"next": {"$ref": "#"}}}, {"next": {"next": {}}}),
        ({"type": ["array", "null"], "items": {"$ref": "#"}, "minItems": 1}, [[None]]),
        ({"anyOf": [{"type": "integer"}, {"type": "array", "items": {"$ref": "#"}, "minItems": 1}]}, [[1], 2]),
    ],
)
def test_a_schema_may_refer_to_itself_where_it_need_not_go_on(schema: Any, value: Any) -> None:
    assert matches(compile_grammar(json.dumps(schema), "json_schema"), json.dumps(value))


@pytest.mark.parametrize("depth", [80, 10_000])
def test_a_schema_that_is_too_deep_is_refused(depth: int) -> None:
    with pytest.raises(GrammarError, match=r"deep|not JSON"):
        compile_grammar('{"items": ' * depth + "{}" + "}" * depth, "json_schema")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "const": -(2**63)},
        {"type": "integer", "enum": [1, -1e308]},
        {"type": ["integer", "string"], "const": -1e300},
        {"type": "integer", "minimum": -1e300, "maximum": -1e300},
        {"type": "integer", "minimum": -1e300, "exclusiveMaximum": -(2**63) + 1},
        {"type": "integer", "exclusiveMinimum": -1e300, "maximum": -(2**63) + 2},
        {"$ref": "#/$defs/a", "enum": [{"b": [-(2**63)]}], "$defs": {"a": {"type": "object"}}},
        {"$ref": "#/default", "default": {"type": "integer", "const": -(2**63)}},
    ],
)
def test_an_integer_that_can_only_be_the_smallest_of_64_bits_is_refused(schema: Any) -> None:
    """llguidance would end the process."""
    with pytest.raises(GrammarError, match="of the schema: expected numbers from -9223372036854773760 on, got -"):
        compile_grammar(json.dumps(schema), "json_schema")


def test_integers_may_have_the_limits_of_64_bits() -> None:
    schema = {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1, "default": -(2**63)}
    assert matches(compile_grammar(json.dumps(schema), "json_schema"), "5")


def test_patterns_that_apply_at_once_are_limited() -> None:
    strings = [{"type": "string", "pattern": f"^[a-z]{{{n},}}$"} for n in range(9)]
    members = [{"properties": {"x": {"properties": {"y": string}}}} for string in strings]
    chain = {f"d{n}": {"pattern": "a", "$ref": f"#/$defs/d{n + 1}"} for n in range(9)} | {"d9": {"type": "string"}}
    for schema in ({"allOf": strings}, {"allOf": members}, {"$ref": "#/$defs/d0", "$defs": chain}):
        with pytest.raises(GrammarError, match="may have to match more than 8 patterns at once"):
            compile_grammar(json.dumps(schema), "json_schema")
    assert compile_grammar(json.dumps({"allOf": strings[:8]}), "json_schema")
    assert compile_grammar(
        json.dumps({"properties": {f"p{n}": string for n, string in enumerate(strings)}}), "json_schema"
    )


@pytest.mark.parametrize("multiples", [[99_991, 7], [10_000_019], [100.003], [2**31], [5**9], [123_456_000]])
def test_multiples_are_limited(multiples: list[float]) -> None:
    schema = {"allOf": [{"type": "number", "multipleOf": multiple} for multiple in multiples]}
    with pytest.raises(GrammarError, match='the numbers for "multipleOf" in the schema are too large'):
        compile_grammar(json.dumps(schema), "json_schema")


@pytest.mark.parametrize("multiple", [0.01, 3, 1000, 60, 1e6, 10**8, 65_536])
def test_usual_multiples_are_within_the_limit(multiple: float) -> None:
    grammar = compile_grammar(json.dumps({"type": "number", "multipleOf": multiple}), "json_schema")
    assert matches(grammar, str(int(multiple * 300)))


def test_a_multiple_that_is_no_number_is_refused() -> None:
    with pytest.raises(GrammarError, match="multipleOf"):
        compile_grammar('{"type": "number", "multipleOf": true}', "json_schema")


@pytest.mark.parametrize(("n_references", "is_fine"), [(100, True), (4000, False)])
def test_a_long_chain_of_references_ends_no_process(n_references: int, is_fine: bool) -> None:
    chain = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"const": n}]} for n in range(n_references)}
    schema = {"$ref": "#/$defs/d0", "$defs": chain | {f"d{n_references}": {"type": "null"}}}
    if is_fine:
        assert matches(compile_grammar(json.dumps(schema), "json_schema"), "null")
    else:
        with pytest.raises(GrammarError, match="references to references, too deep"):
            compile_grammar(json.dumps(schema), "json_schema")
