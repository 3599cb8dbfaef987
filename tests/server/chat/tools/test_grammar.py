"""The grammar of a turn, for each tool format."""

import pytest

from grammar.matcher import CompiledGrammar
from server.chat.tools.call_format import GENERIC_FORMAT, ToolFormat
from server.chat.tools.grammar import tool_call_grammar
from slots.errors import InvalidRequest
from tests.grammar.byte_level import COMPILER, matches
from tests.server.chat.tools.example_tools import make_tool_request
from tests.server.chat.tools.templates import STYLES, Style

PLACE = ("find_place", '{"name": "home", "kind": "tree"}', "abcdefgh1")
PERSON = ("find_person", '{"is_old": true}', "abcdefgh2")


def compile_turn(tool_format: ToolFormat, choice: object = "auto", *, parallel: bool = True) -> CompiledGrammar:
    return COMPILER.compile(tool_call_grammar(tool_format, make_tool_request(choice, parallel=parallel), None))


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@pytest.mark.parametrize("choice", ["auto", "required"])
def test_calls_are_written_as_the_format_says(style: Style, choice: str) -> None:
    several = style.format.separator is not None
    assert matches(compile_turn(style.format, choice), style.format.write([PLACE]))
    assert matches(compile_turn(style.format, choice), style.format.write([PLACE, PERSON, PLACE])) is several
    assert matches(compile_turn(style.format, choice, parallel=False), style.format.write([PERSON]))
    assert not matches(compile_turn(style.format, choice, parallel=False), style.format.write([PERSON, PLACE]))


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_text_may_stand_in_front_where_the_model_chooses(style: Style) -> None:
    text = "I look.\n" + style.format.write([PLACE])
    assert matches(compile_turn(style.format), text)
    assert not matches(compile_turn(style.format, "required"), text)
    assert matches(compile_turn(style.format), "I do not look.")


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_other_names_and_arguments_are_not_written(style: Style) -> None:
    for call in (("find_thing", "{}", "abcdefgh1"), ("find_person", '{"is_old": 1}', "abcdefgh1")):
        assert not matches(compile_turn(style.format), style.format.write([call]))


def test_only_the_named_tool_is_called() -> None:
    named = compile_turn(GENERIC_FORMAT, {"function": {"name": "find_person"}})
    assert matches(named, GENERIC_FORMAT.write([PERSON]))
    assert not matches(named, GENERIC_FORMAT.write([PLACE]))
    assert not matches(named, GENERIC_FORMAT.write([PERSON, PERSON]))


def test_arguments_are_those_that_the_schema_names() -> None:
    properties: dict[str, object] = {"is_old": {"type": "boolean"}}
    closed = {"properties": properties}
    more = GENERIC_FORMAT.write([("find", '{"is_old": true, "is_tall": true}', "")])
    for schema, is_open in (
        (closed, False),
        (closed | {"additionalProperties": True}, True),
        ({"allOf": [closed]}, True),
    ):
        source = tool_call_grammar(GENERIC_FORMAT, make_tool_request("required", schemas={"find": schema}), None)
        assert matches(COMPILER.compile(source), more) is is_open


def test_a_schema_that_is_too_deep_is_refused() -> None:
    schema: object = {}
    for _ in range(500):
        schema = {"type": "object", "properties": {"a": schema}}
    with pytest.raises(InvalidRequest, match=r"^tools: expected a less deep schema for deep$"):
        tool_call_grammar(GENERIC_FORMAT, make_tool_request(schemas={"deep": schema}), None)
