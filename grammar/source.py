"""A grammar as it was asked for."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["gbnf", "json_schema", "regex", "choice", "turn"]


@dataclass(frozen=True, slots=True)
class GrammarSource:
    """A grammar in the words of whoever wrote it."""

    kind: Kind
    text: str
    """GBNF; the JSON text of a schema, with its members in the order that the output is to have; a regular expression;
    a JSON list of strings, for a choice; or JSON as `grammar.chat_turn` reads it, for what a model says in its turn."""
