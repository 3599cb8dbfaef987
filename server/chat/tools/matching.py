"""The pieces of a call, looked for in a text that is still being written."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from string import ascii_letters, digits

from server.chat.tools.call_format import Mark, Pieces

_OF_WORDS = frozenset(ascii_letters + digits + "_.-")
"""What names and ids are made of."""


class Unmatched(Enum):
    """Why there is no match."""

    YET = "yet"
    """What there is of the text fits, but it has to go on."""
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class PieceMatch:
    end: int
    """Where in the text the match ends; arguments that come last are not part of it."""
    words: Mapping[Mark, str]
    """The name and the id, if they were among the pieces."""


def match_pieces(pieces: Pieces, text: str) -> PieceMatch | Unmatched:
    """Returns how far pieces go in a text, from its start on. Arguments may only come last; they are there once their
    first brace is."""
    position = 0
    words: dict[Mark, str] = {}
    for piece in pieces:
        end: int | Unmatched
        match piece:
            case str():
                end = _literal_end(piece, text, position)
            case Mark.SPACE:
                end = _space_end(text, position)
            case Mark.ARGUMENTS:
                end = _literal_end("{", text, position)
                end = end if isinstance(end, Unmatched) else position
            case _:
                end = _word_end(text, position)
        if isinstance(end, Unmatched):
            return end
        if isinstance(piece, Mark):
            words[piece] = text[position:end]
        position = end
    return PieceMatch(position, words)


def _literal_end(literal: str, text: str, start: int) -> int | Unmatched:
    if text.startswith(literal, start):
        return start + len(literal)
    return Unmatched.YET if literal.startswith(text[start:]) else Unmatched.NEVER


def _space_end(text: str, start: int) -> int | Unmatched:
    """Something always comes after white space, and does not begin with any."""
    rest = text[start:].lstrip()
    return len(text) - len(rest) if rest else Unmatched.YET


def _word_end(text: str, start: int) -> int | Unmatched:
    end = start
    while end < len(text) and text[end] in _OF_WORDS:
        end += 1
    if end == len(text):
        return Unmatched.YET
    return end if end > start else Unmatched.NEVER


_NOTABLE = re.compile(r'["\\{}\[\]]')


class JsonEnd:
    """Follows one JSON object from its first brace on."""

    def __init__(self) -> None:
        self._depth = 0
        self._is_in_string = False
        self._is_escaped = False

    def find(self, text: str) -> int | None:
        """Returns how many characters of `text`, which goes on where the last one ended, belong to the object; None if
        all do and it is still open."""
        position = 0
        while position < len(text):
            if self._is_escaped:
                self._is_escaped = False
                position += 1
                continue
            found = _NOTABLE.search(text, position)
            if found is None:
                return None
            position = found.end()
            self._note(found[0])
            if self._depth == 0:
                return position
        return None

    def _note(self, character: str) -> None:
        if self._is_in_string:
            self._is_escaped = character == "\\"
            self._is_in_string = character != '"'
        elif character == '"':
            self._is_in_string = True
        elif character in "{[":
            self._depth += 1
        elif character in "}]":
            self._depth -= 1
