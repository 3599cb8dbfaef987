"""Tools of a response become what chat templates take."""

from typing import Any

import pytest

from server.api.openai.responses.tools import make_tool_request, read_tool_choice, read_tools
from slots.errors import InvalidRequest

PARAMETERS: Any = {"type": "object", "properties": {"n": {"type": "integer"}}}
READ: Any = {"type": "function", "name": "read", "parameters": PARAMETERS}
PATCH: Any = {"type": "custom", "name": "patch", "description": "Changes files."}
GRAMMAR: Any = {"type": "grammar", "syntax": "lark", "definition": 'start: "a"'}


def request_for(choice: Any, *tools: Any) -> Any:
    return make_tool_request(read_tools(list(tools)), read_tool_choice(choice), parallel=True)


def names_of(request: Any) -> list[str]:
    return [tool["function"]["name"] for tool in request.tools]


def test_a_function_is_spelled_as_templates_take_it() -> None:
    function = {"name": "read", "description": "", "parameters": PARAMETERS}
    assert request_for("auto", READ).tools == ({"type": "function", "function": function},)


def test_only_what_is_strict_has_to_be_enforced() -> None:
    strict = request_for("auto", {**READ, "strict": True}, {**READ, "name": "b", "strict": False}).tools
    assert [tool["function"].get("strict") for tool in strict] == [True, None]


def test_a_custom_tool_is_a_function_that_takes_a_text() -> None:
    tools = read_tools([PATCH])
    function: Any = tools.offered["patch"].function["function"]
    assert function["parameters"]["properties"] == {"input": {"type": "string"}}
    assert function["description"] == "Changes files."
    assert tools.offered["patch"].is_custom
    assert not tools.warnings


def test_the_grammar_of_a_custom_tool_is_described() -> None:
    tools = read_tools([{**PATCH, "format": GRAMMAR}])
    function: Any = tools.offered["patch"].function["function"]
    assert function["description"].endswith('grammar (lark):\nstart: "a"')
    assert tools.warnings == ("tools[0].format: the grammar is described to the model, and not enforced",)


def test_tools_in_a_namespace_have_both_names() -> None:
    tools = read_tools([READ, {"type": "namespace", "name": "github", "description": "", "tools": [READ, PATCH]}])
    assert list(tools.offered) == ["read", "github.read", "github.patch"]
    assert (tools.offered["github.read"].name, tools.offered["github.read"].namespace) == ("read", "github")


@pytest.mark.parametrize("kind", ["web_search", "local_shell", "mcp", "image_generation", "file_search"])
def test_tools_of_other_servers_are_left_out_with_a_warning(kind: str) -> None:
    tools = read_tools([{"type": kind}, READ])
    assert list(tools.offered) == ["read"]
    assert tools.warnings == (f'tools[0]: a tool of the type "{kind}" is left out, since this server has no such tool',)


@pytest.mark.parametrize("choice", ["auto", "none", "required"])
def test_a_choice_is_a_word(choice: str) -> None:
    request = request_for(choice, READ, PATCH)
    assert (request.choice, request.tool_name, request.parallel) == (choice, None, True)


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ({"type": "function", "name": "read"}, "read"),
        ({"type": "custom", "name": "patch"}, "patch"),
        ({"type": "function", "name": "read", "namespace": "b"}, "b.read"),
    ],
)
def test_a_choice_is_a_tool(choice: Any, name: str) -> None:
    request = request_for(choice, READ, PATCH, {"type": "namespace", "name": "b", "tools": [READ]})
    assert (request.choice, request.tool_name, request.parallel) == ("function", name, False)


def test_a_choice_is_some_of_the_tools() -> None:
    allowed = [{"type": "custom", "name": "patch"}, {"type": "web_search"}]
    request = request_for({"type": "allowed_tools", "mode": "required", "tools": allowed}, READ, PATCH)
    assert (names_of(request), request.choice) == (["patch"], "required")


def test_without_tools_there_is_no_request() -> None:
    assert request_for("auto") is None
    assert request_for("auto", {"type": "web_search"}) is None


@pytest.mark.parametrize(
    ("tools", "message"),
    [
        ("read", "tools: expected a list of tools"),
        ([1], r"tools\[0\]: expected an object"),
        ([{"type": "magic"}], r'tools\[0\].type: expected one of function, custom, namespace, got "magic"'),
        ([{"type": "function"}], r"tools\[0\].name: expected a string"),
        ([{**READ, "name": "a b"}], r"tools\[0\].name: expected 1 to 256 characters"),
        ([{**READ, "parameters": 1}], r"tools\[0\].parameters: expected a JSON schema"),
        ([READ, READ], r"tools\[1\].name: expected a name that no other tool has"),
        ([{**PATCH, "format": {"type": "grammar"}}], r"tools\[0\].format: expected"),
        ([{"type": "namespace", "name": "a"}], r"tools\[0\].tools: expected a list"),
        ([{"type": "namespace", "name": "a", "tools": [{"type": "mcp"}]}], r"tools\[0\].tools\[0\].type"),
        ([{**READ, "name": f"f{number}"} for number in range(129)], "tools: expected at most 128 tools"),
    ],
)
def test_a_wrong_tool_is_named(tools: Any, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        read_tools(tools)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("always", "tool_choice: expected"),
        ({"type": "web_search"}, "tool_choice: expected"),
        ({"type": "function"}, "tool_choice.name: expected a string"),
        ({"type": "function", "name": "fly"}, 'tool_choice: expected one of the tools: read, got "fly"'),
        ({"type": "allowed_tools", "mode": "auto", "tools": [1]}, r"tool_choice.tools\[0\]: expected an object"),
        ({"type": "allowed_tools", "mode": "none", "tools": []}, "tool_choice: expected"),
        ({"type": "allowed_tools", "mode": "required", "tools": []}, "tools: expected at least one tool"),
    ],
)
def test_a_wrong_choice_is_named(choice: Any, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        request_for(choice, READ)
