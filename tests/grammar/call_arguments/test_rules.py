"""Arguments in a syntax of the model's own match the schema of their tool, byte by byte."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from grammar.call_arguments.objects import read_arguments, unenforced_keywords, value_of
from grammar.call_arguments.syntax import ArgumentSyntax
from grammar.call_arguments.values import KINDS
from grammar.compiler import GrammarCompiler
from grammar.errors import GrammarError
from grammar.matcher import CompiledGrammar
from grammar.source import GrammarSource
from grammar.vocabulary import GrammarVocabulary
from tests.grammar.byte_level import compile_grammar, matches

TAGS = ArgumentSyntax("<parameter=", ">\n", "\n</parameter>\n")
TIGHT = ArgumentSyntax("<p ", ">", "</p>")
PYTHON = ArgumentSyntax("", "=", "", separator=", ", strings="python", has_python_literals=True)
KINDS_TOLD = ArgumentSyntax("<p ", " text>", "</p>", before_other=tuple((kind, " json>") for kind in KINDS))


def source(schema: Mapping[str, Any], syntax: ArgumentSyntax) -> GrammarSource:
    calls = {"trigger": ["("], "only_at_start": False, "first": [[{"schema": 0}]], "later": [], "end": [")"]}
    turn = {"thoughts": None, "text": False, "calls": calls, "arguments": syntax.json(), "json": None}
    return GrammarSource("turn", json.dumps({**turn, "schemas": [["the tool", json.dumps(schema)]]}))


def grammar(schema: Mapping[str, Any], syntax: ArgumentSyntax = TAGS) -> CompiledGrammar:
    made = source(schema, syntax)
    return compile_grammar(made.text, made.kind)


def of(properties: Mapping[str, Any], *required: str, **more: object) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), **more}


def written(**arguments: str) -> str:
    return "(" + "".join(f"<parameter={name}>\n{text}\n</parameter>\n" for name, text in arguments.items()) + ")"


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        ({"type": "string"}, ["", "a", "5", '<b> & "c"\'', "\n", "two\nlines", "</parameter", "é"], []),
        ({"type": "integer", "minimum": 3}, ["3", "41"], ["2", "x", '"4"', ""]),
        ({"type": "boolean"}, ["true", "false"], ["True", "no", '"true"']),
        ({"enum": ["red", "dark blue"]}, ["red", "dark blue"], ["dark", "RED", '"red"', "red "]),
        ({"const": "only"}, ["only"], ["other"]),
        ({"enum": ["a", 1, None]}, ["a", "1", "null"], ["b", "2"]),
        ({"type": "string", "minLength": 2, "maxLength": 3}, ["ab", "abc", "a\n"], ["a", "abcd", ""]),
        ({"type": "string", "pattern": "^[a-c]+$"}, ["abc"], ["abd", ""]),
        ({"type": "string", "pattern": "b+"}, ["abba", "b"], ["aca"]),
        ({"type": "string", "pattern": "^a|b$"}, ['"ax"', '"xb"'], ["ax", '"x"']),
        ({"type": "string", "format": "date"}, ["2024-02-29"], ["2024-13-01", "2024-04-31", "soon"]),
        ({"type": "string", "format": "uuid"}, ["123e4567-e89b-12d3-a456-426614174000"], ["123"]),
        ({"type": ["string", "null"]}, ["null", "text", ""], []),
        (
            {"anyOf": [{"type": "string"}, of({"x": {"type": "boolean"}}, "x")]},
            ["t", '{"x": true}'],
            ['{"x": 1}', "[1]"],
        ),
        ({"type": ["string", "integer"], "minimum": 5}, ['"a"', "7"], ["a", "3"]),
        ({"type": "array", "items": {"type": "integer"}}, ["[1, 2]", "[]"], ["1", '["a"]']),
        ({"$ref": "#/$defs/color"}, ["red"], ["blue"]),
        (of({"c": {"$ref": "#/$defs/color"}}, "c"), ['{"c": "red"}'], ['{"c": "blue"}']),
        ({"$ref": "#/$defs/node"}, ['{"next": {"next": null}}'], ['{"next": 1}']),
    ],
)
def test_a_value_matches_its_schema(schema: dict[str, Any], right: list[str], wrong: list[str]) -> None:
    node = of({"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}, "next")
    compiled = grammar(of({"v": schema}, "v", **{"$defs": {"color": {"enum": ["red"]}, "node": node}}))
    for text in right:
        assert matches(compiled, written(v=text)), text
    for text in wrong:
        assert not matches(compiled, written(v=text)), text


def test_what_is_required_comes_and_other_things_may() -> None:
    compiled = grammar(of({"a": {"type": "string"}, "b": {"type": "string"}, "c": {"type": "string"}}, "b"))
    for names in ("b", "ab", "bc", "abc"):
        assert matches(compiled, written(**dict.fromkeys(names, "x"))), names
    for names in ("", "a", "ac", "ba", "bb", "bd"):
        assert not matches(compiled, "(" + "".join(written(**{name: "x"})[1:-1] for name in names) + ")"), names


@pytest.mark.parametrize(
    ("names", "is_right"), [("b", True), ("ab", True), ("bc", True), ("abc", True), ("", False), ("ac", False)]
)
def test_separators_are_between_arguments_only(names: str, is_right: bool) -> None:
    compiled = grammar(of({name: {"type": "integer"} for name in "abc"}, "b"), PYTHON)
    assert matches(compiled, "(" + ", ".join(f"{name}=1" for name in names) + ")") == is_right
    assert not matches(compiled, "(" + "".join(f"{name}=1, " for name in names) + ")")


def test_nothing_has_to_be_written_if_nothing_is_required() -> None:
    for syntax in (TAGS, PYTHON):
        assert matches(grammar(of({}), syntax), "()")
        assert matches(grammar(of({"a": {"type": "integer"}}), syntax), "()")


def test_other_names_are_possible_if_the_schema_says_so() -> None:
    compiled = grammar(of({"a": {"type": "integer"}}, additionalProperties={"type": "integer"}))
    assert matches(compiled, written(a="1", b="2", c="3"))
    assert not matches(compiled, written(b="x"))
    assert not matches(compiled, "(" + written(a="1")[1:-1] * 2 + ")")
    assert not matches(grammar(of({"a": {"type": "integer"}})), written(b="2"))
    assert matches(grammar({"type": "object"}), written(b="anything"))


@pytest.mark.parametrize("text", ["'a'", '"a"', "'it\\'s'", '"it\'s"', "'two\nlines'"])
def test_python_strings_are_in_either_quotes(text: str) -> None:
    assert matches(grammar(of({"a": {"type": "string"}}, "a"), PYTHON), f"(a={text})")


def test_python_spells_literals_in_its_own_way() -> None:
    schema = of({"a": {"type": ["boolean", "null"]}}, "a")
    for text in ("True", "False", "None", "true", "null"):
        assert matches(grammar(schema, PYTHON), f"(a={text})"), text


def test_what_is_before_a_value_tells_strings_apart() -> None:
    compiled = grammar(of({"a": {"type": ["string", "integer"], "minimum": 3}}, "a"), KINDS_TOLD)
    assert matches(compiled, "(<p a text>2</p>)")
    assert matches(compiled, "(<p a json>4</p>)")
    assert not matches(compiled, "(<p a json>2</p>)")
    assert not matches(compiled, "(<p a json>x</p>)")


def test_alternatives_of_the_whole_are_alternatives_of_its_arguments() -> None:
    a, b = of({"a": {"type": "integer"}}, "a"), of({"b": {"type": "integer"}}, "b")
    compiled = grammar({"type": "object", "anyOf": [a, b]})
    assert matches(compiled, written(a="1"))
    assert matches(compiled, written(b="1"))
    assert not matches(compiled, written(a="1", b="1"))
    both = grammar({"type": "object", "allOf": [a, {"$ref": "#/$defs/b"}], "$defs": {"b": b}})
    assert matches(both, written(a="1", b="1"))
    assert not matches(both, written(a="1"))


def test_an_end_that_is_a_token_may_be_one_or_its_text() -> None:
    end, tag = 256, 257
    vocabulary = GrammarVocabulary(
        [*(bytes([byte]) for byte in range(256)), b"", b""], [tag], [end], {"</p>": tag, "<end>": end}
    )
    schema = of({"a": {"type": "string"}, "b": {"type": "string", "maxLength": 2}}, "a")
    compiled = GrammarCompiler(vocabulary).compile(source(schema, TIGHT))
    for text in (
        [*b"(<p a>x<y", tag, *b"<p b>zz", tag, *b")"],
        list(b"(<p a>x<y</p><p b></p>)"),
        [*b"(<p a>", tag, *b")"],
    ):
        matcher = compiled.matcher()
        for token in text:
            assert matcher.allows(token)
            matcher.accept(token)
        assert matcher.may_end


def test_an_error_names_the_tool() -> None:
    with pytest.raises(GrammarError, match=r'^the tool: the keyword "not" of the schema'):
        grammar(of({"a": {"not": {}}}))
    with pytest.raises(GrammarError, match='the format "shiny" is not supported'):
        grammar(of({"a": {"type": "string", "format": "shiny"}}))


@pytest.mark.parametrize(
    ("schema", "text", "kind"),
    [
        ({"type": "string"}, "5", "string"),
        ({"type": "integer"}, "5", "json"),
        ({"type": ["string", "null"]}, "null", "null"),
        ({"type": ["string", "null"]}, "5", "string"),
        ({"type": ["string", "number"]}, "5", "number"),
        ({"type": ["string", "integer"]}, "5.5", "string"),
        ({}, "true", "boolean"),
        ({}, "truth", "string"),
        ({}, '{"a": 1}', "object"),
        ({}, "{a}", "string"),
    ],
)
def test_the_schema_says_what_a_text_without_quotes_is(schema: Mapping[str, Any], text: str, kind: str) -> None:
    alternatives = read_arguments(json.dumps(of({"a": schema})), has_bare_strings=True)
    value = value_of(alternatives, "a")
    assert ("string" if value.strings and not value.others else value.kind_of_bare(text)) == kind


def test_keywords_of_the_whole_are_not_enforced() -> None:
    assert unenforced_keywords(json.dumps(of({}, minProperties=1, patternProperties={}))) == [
        "minProperties",
        "patternProperties",
    ]


def many_alternatives(n: int) -> dict[str, Any]:
    """4 to the power of n of them."""
    parts = [{"anyOf": [of({f"{name}{number}": {"type": "integer"}}) for name in "abcd"]} for number in range(n)]
    return of({"count": {"type": "integer"}}, "count", allOf=parts)


def test_too_many_alternatives_are_their_union() -> None:
    compiled = grammar(many_alternatives(40), TAGS)
    assert matches(compiled, written(count="3", a0="1", d39="2"))
    assert not matches(compiled, written(count="3", a0="x"))
    assert not matches(compiled, written(count="3", other="1"))
    assert not matches(compiled, written(a0="1"))


def test_a_union_of_alternatives_is_said_not_to_be_enforced() -> None:
    assert unenforced_keywords(json.dumps(many_alternatives(3))) == []
    assert unenforced_keywords(json.dumps(many_alternatives(40))) == ["anyOf"]


def references(keyword: str, last: Mapping[str, Any]) -> dict[str, Any]:
    """Definitions that each refer twice to the next one."""
    twice = {f"d{n}": {keyword: [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(60)}
    return {**twice, "d60": dict(last)}


@pytest.mark.parametrize("keyword", ["anyOf", "allOf"])
def test_arguments_that_refer_to_each_other_are_read_in_bounds(keyword: str) -> None:
    schema = {"$ref": "#/$defs/d0", "$defs": references(keyword, of({"a": {"type": "integer"}}))}
    assert len(read_arguments(json.dumps(schema), has_bare_strings=True)) <= 64
    assert unenforced_keywords(json.dumps(schema)) == ["anyOf"]


@pytest.mark.parametrize("last", [{"type": "integer"}, {"type": []}])
def test_a_value_that_refers_to_too_many_others_is_written_as_json(last: Mapping[str, Any]) -> None:
    schema = of({"a": {"$ref": "#/$defs/d0"}}, **{"$defs": references("anyOf", last)})
    assert not value_of(read_arguments(json.dumps(schema), has_bare_strings=True), "a").is_split
