"""Tools in requests."""

from typing import Any

import pytest

from server.chat.tools.request import get_tool_name, get_tool_parameters
from slots.errors import InvalidRequest
from tests.server.chat.tools.example_tools import read_tools

WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
NAMES = "1 to 256 characters without spaces, quotes, brackets, commas and \\, |, ="
CHOICES = (
    '"auto", "none", "required", {"type": "function", "function": {"name": ...}} or '
    '{"type": "allowed_tools", "allowed_tools": {"mode": ..., "tools": [...]}}'
)
PING: dict[str, Any] = {"type": "function", "function": {"name": "ping"}}


def test_no_tools_are_no_request() -> None:
    assert read_tools({}) is None
    assert read_tools({"tools": None}) is None
    assert read_tools({"tools": [], "tool_choice": "auto"}) is None


def test_a_model_may_choose_among_all_tools_and_call_one() -> None:
    found = read_tools({"tools": [WEATHER, PING]})
    assert found is not None
    assert (found.choice, found.tool_name, found.parallel, found.must_call) == ("auto", None, False, False)
    assert [get_tool_name(tool) for tool in found.callable_tools] == ["weather", "ping"]


def test_several_calls_in_one_turn_have_to_be_asked_for() -> None:
    found = read_tools({"tools": [WEATHER, PING], "parallel_tool_calls": True})
    assert found is not None
    assert found.parallel


def test_parameters_that_are_missing_are_none_at_all() -> None:
    for function in (
        {"name": "ping"},
        {"name": "ping", "parameters": None},
        {"name": "ping", "parameters": {}},
        {"name": "ping", "parameters": []},
    ):
        found = read_tools({"tools": [{"function": function}]})
        assert found is not None
        assert get_tool_parameters(found.tools[0]) == {
            "type": "object",
            "properties": {},
            "additionalProperties": False,
        }


def test_arguments_are_an_object_also_if_the_schema_does_not_say_so() -> None:
    schema = {"properties": {"a": {"type": "string"}}}
    found = read_tools({"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]})
    assert found is not None
    assert get_tool_parameters(found.tools[0]) == schema | {"type": "object"}


def test_none_may_be_called_if_the_choice_is_none() -> None:
    found = read_tools({"tools": [PING], "tool_choice": "none", "parallel_tool_calls": False})
    assert found is not None
    assert (found.callable_tools, found.must_call, found.parallel) == ((), False, False)


@pytest.mark.parametrize(
    "choice",
    [{"type": "function", "function": {"name": "ping"}}, {"name": "ping"}, {"type": "function", "name": "ping"}],
)
def test_one_tool_may_be_chosen_by_its_name(choice: object) -> None:
    found = read_tools({"tools": [WEATHER, PING], "tool_choice": choice})
    assert found is not None
    assert found.must_call
    assert [get_tool_name(tool) for tool in found.callable_tools] == ["ping"]


def allow(mode: str, *names: str) -> dict[str, Any]:
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_a_choice_may_allow_some_of_the_tools(mode: str) -> None:
    found = read_tools({"tools": [WEATHER, PING], "tool_choice": allow(mode, "ping")})
    assert found is not None
    assert ([get_tool_name(tool) for tool in found.callable_tools], found.choice) == (["ping"], mode)


def test_a_choice_may_allow_no_tool() -> None:
    assert read_tools({"tools": [WEATHER], "tool_choice": allow("auto")}) is None


def with_function(**members: object) -> list[object]:
    return [{"type": "function", "function": members}]


@pytest.mark.parametrize(
    ("tools", "message"),
    [
        ({}, "tools: expected a list of tools, got {}"),
        ([1], "tools[0]: expected an object with type and function, got 1"),
        ([PING] * 129, "tools: expected at most 128 tools, got 129"),
        ([PING, {"type": "code"}], 'tools[1].type: expected "function", got "code"'),
        ([{}], "tools[0].function: expected an object with name and parameters, got nothing"),
        (with_function(), f"tools[0].function.name: expected {NAMES}, got nothing"),
        (with_function(name='a"b'), f'tools[0].function.name: expected {NAMES}, got "a\\"b"'),
        ([PING, PING], 'tools[1].function.name: expected a name that no other tool has, got "ping"'),
        (with_function(name="f", description=1), "tools[0].function.description: expected a string, got 1"),
        (with_function(name="f", strict="y"), 'tools[0].function.strict: expected true or false, got "y"'),
        (
            with_function(name="f", parameters=["a"]),
            'tools[0].function.parameters: expected a JSON schema, which is an object, got ["a"]',
        ),
        (
            with_function(name="f", parameters={"type": "string"}),
            'tools[0].function.parameters.type: expected "object", since arguments have names, got "string"',
        ),
        (
            with_function(name="f", parameters={"type": "OBJECT"}, strict=True),
            'tools[0].function.parameters.type: expected "object", since arguments have names, got "OBJECT"',
        ),
    ],
)
def test_an_error_names_the_member_of_the_tool(tools: object, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_tools({"tools": tools})
    assert str(caught.value) == message


@pytest.mark.parametrize("kind", ["object", "OBJECT", "dict", ["object", "null"], None, "any"])
def test_parameters_are_an_object_however_that_is_spelled(kind: object) -> None:
    parameters = {"type": kind, "properties": {"a": {"type": "INT", "enum": None}}, "required": None}
    found = read_tools({"tools": with_function(name="f", parameters=parameters)})
    assert found is not None
    assert get_tool_parameters(found.tools[0]) == {"type": "object", "properties": {"a": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("any", f'tool_choice: expected {CHOICES}, got "any"'),
        ({"type": "function"}, f'tool_choice: expected {CHOICES}, got {{"type":"function"}}'),
        ({"function": {"name": "pong"}}, 'tool_choice.function.name: expected one of the tools: ping, got "pong"'),
        ({"name": "pong"}, 'tool_choice.name: expected one of the tools: ping, got "pong"'),
        (allow("auto", "pong"), 'tool_choice.function.name: expected one of the tools: ping, got "pong"'),
        (
            {"type": "allowed_tools", "tools": []},
            f'tool_choice: expected {CHOICES}, got {{"type":"allowed_tools","tools":[]}}',
        ),
    ],
)
def test_an_error_names_the_choice(choice: object, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_tools({"tools": [PING], "tool_choice": choice})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("required", 'tools: expected at least one tool, since tool_choice is "required", got none'),
        ({"name": "pong"}, 'tool_choice.name: expected no choice, since there are no tools, got "pong"'),
    ],
)
def test_no_tool_can_be_asked_for_where_there_are_none(choice: object, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_tools({"tool_choice": choice})
    assert str(caught.value) == message


def test_whether_several_may_be_called_is_true_or_false() -> None:
    with pytest.raises(InvalidRequest, match=r"^parallel_tool_calls: expected true or false, got 1$"):
        read_tools({"tools": [PING], "parallel_tool_calls": 1})
