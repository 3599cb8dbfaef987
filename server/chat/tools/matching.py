"""The pieces of a call, looked for in a text that is still being written."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from string import ascii_letters, digits

from server.chat.tools.call_format import Pattern, Placeholder

_WORD_CHARACTERS = frozenset(ascii_letters + digits + "_.-")
"""What names and ids are made of."""


class NoMatch(Enum):
    """Why there is no match."""

    PARTIAL = "yet"
    """What there is of the text fits, but it has to go on."""
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class PatternMatch:
    end: int
    """Where in the text the match ends; arguments that come last are not part of it."""
    values: Mapping[Placeholder, str]
    """The name and the id, if they were among the pieces."""


def match_pattern(pattern: Pattern, text: str) -> PatternMatch | NoMatch:
    """Returns how far pieces go in a text, from its start on. Arguments may only come last; they are there once their
    first brace is."""
    position = 0
    values: dict[Placeholder, str] = {}
    for piece in pattern:
        end: int | NoMatch
        match piece:
            case str():
                end = _literal_end(piece, text, position)
            case Placeholder.SPACE:
                end = _space_end(text, position)
            case Placeholder.ARGUMENTS:
                end = _literal_end("{", text, position)
                end = end if isinstance(end, NoMatch) else position
            case _:
                end = _word_end(text, position)
        if isinstance(end, NoMatch):
            return end
        if isinstance(piece, Placeholder):
            values[piece] = text[position:end]
        position = end
    return PatternMatch(position, values)


def _literal_end(literal: str, text: str, start: int) -> int | NoMatch:
    if text.startswith(literal, start):
        return start + len(literal)
    return NoMatch.PARTIAL if literal.startswith(text[start:]) else NoMatch.NEVER


def _space_end(text: str, start: int) -> int | NoMatch:
    """Something always comes after white space, and does not begin with any."""
    rest = text[start:].lstrip()
    return len(text) - len(rest) if rest else NoMatch.PARTIAL


def _word_end(text: str, start: int) -> int | NoMatch:
    end = start
    while end < len(text) and text[end] in _WORD_CHARACTERS:
        end += 1
    if end == len(text):
        return NoMatch.PARTIAL
    return end if end > start else NoMatch.NEVER


_STRUCTURAL = re.compile(r'["\\{}\[\]]')


class JsonScanner:
    """Follows one JSON object from its first brace on."""

    def __init__(self) -> None:
        self._depth = 0
        self._is_in_string = False
        self._is_escaped = False

    def find_end(self, text: str) -> int | None:
        """Returns how many characters of `text`, which goes on where the last one ended, belong to the object; None if
        all do and it is still open."""
        position = 0
        while position < len(text):
            if self._is_escaped:
                self._is_escaped = False
                position += 1
                continue
            found = _STRUCTURAL.search(text, position)
            if found is None:
                return None
            position = found.end()
            self._update(found[0])
            if self._depth == 0:
                return position
        return None

    def _update(self, character: str) -> None:
        if self._is_in_string:
            self._is_escaped = character == "\\"
            self._is_in_string = character != '"'
        elif character == '"':
            self._is_in_string = True
        elif character in "{[":
            self._depth += 1
        elif character in "}]":
            self._depth -= 1
