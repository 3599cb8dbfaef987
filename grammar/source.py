"""Grammar source: a grammar as the client sent it."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["gbnf", "json_schema", "regex", "choice", "turn"]


@dataclass(frozen=True, slots=True)
class GrammarSource:
    kind: Kind
    text: str
    """GBNF; the JSON text of a schema, with its members in the order that the output is to have; a regular expression;
    a JSON list of strings, for a choice; or the JSON object that `grammar.chat_turn` describes."""
