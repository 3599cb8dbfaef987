"""The flags of what texts have to match; of several the last one counts."""

from collections.abc import Callable

from grammar.source import GrammarSource, Kind
from server.cli.parser import Flag, Group
from server.cli.values import text_file
from server.generation.constraint import Constraint


def _flag(spelling: str, kind: Kind, text: str, read: Callable[[str], str] = str) -> Flag:
    name = f"argument {spelling.rsplit(' ', 1)[0].replace(', ', '/')}"
    return Flag(spelling, "constraint", lambda value: Constraint(name, GrammarSource(kind, read(value))), text)


CONSTRAINT = Group(
    "constrained output",
    "For requests that do not say what their texts have to match.",
    _flag("--grammar GRAMMAR", "gbnf", "a grammar in GBNF"),
    _flag("--grammar-file FILE", "gbnf", "the same, from a file", text_file),
    _flag("-j, --json-schema SCHEMA", "json_schema", "a JSON schema instead; {}: any JSON value"),
    _flag("-jf, --json-schema-file FILE", "json_schema", "the same, from a file", text_file),
)
