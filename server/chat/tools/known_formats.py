"""Formats of calls that templates do not show: of models whose templates leave calls out, and forms in which a model
writes calls besides that of its template."""

from grammar.call_arguments.syntax import ArgumentSyntax
from server.chat.tools.call_format import Pattern, Placeholder, ToolFormat

PYTHON_CALLS = ToolFormat(
    call=(Placeholder.NAME, "(", Placeholder.ARGUMENTS, ")"),
    opening="<|tool_call_start|>[",
    separator=", ",
    closing="]<|tool_call_end|>",
    arguments=ArgumentSyntax("", "=", "", separator=", ", strings="python", has_python_literals=True),
)
JSON_LIST = ToolFormat(
    call=('{"name": "', Placeholder.NAME, '", "arguments": ', Placeholder.ARGUMENTS, "}"),
    opening="<|tool_call|>[",
    separator=", ",
    closing="]",
)

BY_MARKER = {"List of tools: ": PYTHON_CALLS, "<|tool_call|> followed by a JSON list": JSON_LIST}
"""By a text of the templates that list tools, but write no calls: LFM2's, and Granite 3's."""

FURTHER_FORMS: dict[str, tuple[Pattern, ...]] = {
    "to=functions.": (
        (
            "<|channel|>commentary to=functions.",
            Placeholder.NAME,
            " <|constrain|>json<|message|>",
            Placeholder.ARGUMENTS,
        ),
    ),
}
"""By the beginning of a call in the template's form: gpt-oss names the recipient before or after the channel."""


def find_known_format(source: str) -> ToolFormat | None:
    """Returns the format of the model with this template; None if it is unknown."""
    return next((known for marker, known in BY_MARKER.items() if marker in source), None)
