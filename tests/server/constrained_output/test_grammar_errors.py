"""Grammars that cannot be used are refused before a slot is taken."""

import json
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest

from tests.server.http_client import STORY, complete, get, post, refusal

REQUIRES_ITSELF = {
    "$ref": "#/$defs/a",
    "$defs": {"a": {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/$defs/a"}}}},
}
DEEP: dict[str, Any] = json.loads('{"items":' * 300 + "{}" + "}" * 300)

WRONG_TYPES: list[tuple[str, Any, str]] = [
    ("grammar", 5, "grammar: expected a string, got 5"),
    ("guided_grammar", [], "guided_grammar: expected a string, got []"),
    ("json_schema", 5, "json_schema: expected a JSON schema, which is an object or true, got 5"),
    ("json_schema", "{}", "json_schema: expected a JSON schema, which is an object or true, got "),
    ("json_schema", DEEP, "json_schema: expected lists and objects at most 200 deep, got deeper ones"),
    ("guided_json", 5, "guided_json: expected a JSON schema, which is an object or true, or the text of one, got 5"),
    ("regex", {}, "regex: expected a string, got {}"),
    ("guided_regex", False, "guided_regex: expected a string, got false"),
    ("choice", "a", 'choice: expected a list of strings, got "a"'),
    ("guided_choice", ["a", 5], 'guided_choice: expected a list of strings, got ["a",5]'),
    ("response_format", "json", 'response_format: expected {"type": "text"}, {"type": "json_object"} or {'),
    ("response_format", {}, "response_format: expected "),
    ("response_format", {"type": "xml"}, "response_format: expected "),
    ("response_format", {"type": ["text"]}, "response_format: expected "),
    ("response_format", {"type": "json_object", "schema": 5}, "response_format.schema: expected a JSON schema"),
    ("response_format", {"type": "json_schema"}, "response_format.json_schema: expected an object with schema, got no"),
    ("structured_outputs", {}, "structured_outputs: expected an object with one of json, json_object, regex, choice"),
    ("structured_outputs", {"regex": "a", "choice": ["b"]}, "structured_outputs: expected an object with one of json"),
    ("structured_outputs", {"structural_tag": "a"}, "structured_outputs: expected an object with one of json"),
    ("structured_outputs", {"regex": 5}, "structured_outputs.regex: expected a string, got 5"),
    (
        "response_format",
        {"type": "json_schema", "json_schema": {"name": "it"}},
        "response_format.json_schema.schema: expected a JSON schema, which is an object or true, got nothing",
    ),
]
BAD_GBNF: list[tuple[str, str]] = [
    ('root ::= "yes', "line 1, column 14: expected "),
    ('root ::= "a"\n\nb ::= [a-', "line 3, column 10: expected "),
    ('root ::= "a" | other', "line 1, column 16: the rule 'other' is not defined"),
    ('start ::= "a"', "the grammar has no rule 'root', which is where it starts"),
    ('root ::= root "a" | "b"', "line 1, column 10: left recursion, root -> root"),
    ('root ::= "a" root', "line 1, column 1: no text can ever match 'root'"),
    ('root ::= "' + "a" * 200_000 + '"', "a GBNF grammar has at most "),
]
BAD_SCHEMAS: list[tuple[Any, str]] = [
    (False, "nothing can satisfy the schema: "),
    ({"type": "integer", "minimum": 5, "maximum": 3}, "nothing can satisfy the schema: "),
    (REQUIRES_ITSELF, 'nothing can satisfy "#/$defs/a" of the schema: it requires itself'),
    ({"properties": {"a": {"not": {}}}}, 'the keyword "not" of the schema, at #/properties/a, is not supported'),
    ({"$ref": "#/$defs/none"}, 'the schema cannot be used: there is no "#/$defs/none" that "$ref" could refer to'),
    ({"type": "nonsense"}, "the schema cannot be used: "),
]
BAD_REGEXES: list[tuple[str, str]] = [
    ("(a", "the regular expression cannot be used: unclosed group"),
    ("a\\", "the regular expression ends with a backslash that escapes nothing"),
    (r"\bword", "the regular expression cannot be used: word boundaries are not supported"),
]
BAD_CHOICES: list[tuple[list[str], str]] = [
    ([], "a choice is a list of at least one string"),
    (["a", ""], "a choice is a list of strings that are not empty, number 2 is ''"),
    (["a", "b", "a"], "the choice has 'a' twice"),
]


def bad_values() -> Iterator[tuple[str, Any, str]]:
    """Each in all its spellings, with the name and what is wrong with it."""
    for text, message in BAD_GBNF:
        yield from ((name, text, f"{name}: {message}") for name in ("grammar", "guided_grammar"))
    for schema, message in BAD_SCHEMAS:
        yield from ((name, schema, f"{name}: {message}") for name in ("json_schema", "guided_json"))
        yield "guided_json", json.dumps(schema), f"guided_json: {message}"
        wrapped = {"type": "json_schema", "json_schema": {"schema": schema}}
        yield "response_format", wrapped, f"response_format: {message}"
        yield "response_format", {"type": "json_object", "schema": schema}, f"response_format: {message}"
    for text, message in BAD_REGEXES:
        yield from ((name, text, f"{name}: {message}") for name in ("regex", "guided_regex"))
    for choices, message in BAD_CHOICES:
        yield from ((name, choices, f"{name}: {message}") for name in ("choice", "guided_choice"))
    yield "guided_json", "{", "guided_json: the schema is not JSON: "
    yield "guided_json", r'{"\ud800": 1}', r'guided_json: the keyword "\ud800" of the schema'


@pytest.mark.parametrize(("field", "value", "message"), WRONG_TYPES)
def test_wrong_type_is_refused(server: str, field: str, value: Any, message: str) -> None:
    assert refusal(server, **{field: value}).startswith(message)


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize(("field", "value", "message"), list(bad_values()))
def test_grammar_that_cannot_be_used_is_refused_by_name(
    server: str, field: str, value: Any, message: str, *, is_streamed: bool
) -> None:
    assert refusal(server, stream=is_streamed, **{field: value}).startswith(message)


def test_what_is_refused_holds_no_slot(server: str) -> None:
    tasks = [slot["id_task"] for slot in get(f"{server}/slots").json()]
    for field, value, _ in bad_values():
        refusal(server, **{field: value})
    slots = get(f"{server}/slots").json()
    assert not any(slot["is_processing"] for slot in slots)
    assert [slot["id_task"] for slot in slots] == tasks
    assert complete(server)["stop"]


ONE_OF_EACH = {
    **{"grammar": 'root ::= "a"', "json_schema": {}, "regex": "a", "choice": ["a"]},
    **{"response_format": {"type": "json_object"}, "guided_json": {}, "guided_regex": "a", "guided_choice": ["a"]},
    **{"guided_grammar": 'root ::= "a"', "structured_outputs": {"choice": ["a"]}},
}


@pytest.mark.parametrize(("one", "other"), list(combinations(ONE_OF_EACH, 2)))
def test_two_at_once_are_refused_by_their_names(server: str, one: str, other: str) -> None:
    message = refusal(server, **{one: ONE_OF_EACH[one], other: ONE_OF_EACH[other]})
    assert message.startswith(f"{one} and {other}: expected one of them")


def test_request_is_refused_before_its_system_prompt_counts(server: str) -> None:
    n_before = complete(server, n_predict=0)["tokens_evaluated"]
    refusal(server, grammar="root ::= other", system_prompt="You are a poet.")
    assert complete(server, n_predict=0)["tokens_evaluated"] == n_before


def test_nothing_that_matches_is_left_by_a_bias(server: str) -> None:
    response = post(server, {"prompt": STORY, "n_predict": 5, "regex": "[a]", "logit_bias": [["a", False]]})
    assert response.status_code == 400, response.text
    assert complete(server)["stop"]
