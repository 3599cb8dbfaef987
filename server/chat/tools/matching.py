"""Matches text that is still being generated: against the pattern of a call, and for the end of its JSON arguments."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from server.chat.tools.call_format import Pattern, Placeholder

WORD_CHARACTER = r"""[^\s\x00-\x1f\x7f"'\\<>(){}\[\]|,=]"""
"""A character of names and ids: MCP servers use slashes and colons, too."""
_WORD = re.compile(f"{WORD_CHARACTER}*")


class NoMatch(Enum):
    PARTIAL = "partial"
    """The text so far matches, but the pattern needs more."""
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class PatternMatch:
    end: int
    """Index after the match, without arguments at the end of the pattern."""
    values: Mapping[Placeholder, str]
    """The name and the id, if the pattern has them."""


def match_pattern(pattern: Pattern, text: str) -> PatternMatch | NoMatch:
    """Matches a pattern at the start of a text. Arguments may only be the pattern's last part, and match at their first
    brace."""
    position = 0
    values: dict[Placeholder, str] = {}
    for part, following in pairwise((*pattern, "")):
        end: int | NoMatch
        match part:
            case str():
                end = _literal_end(part, text, position)
            case Placeholder.SPACE:
                end = _space_end(text, position)
            case Placeholder.ARGUMENTS:
                end = _literal_end("{", text, position)
                end = end if isinstance(end, NoMatch) else position
            case Placeholder.INDEX:
                end = _index_end(text, position)
            case _:
                end = _word_end(text, position, following)
        if isinstance(end, NoMatch):
            return end
        if isinstance(part, Placeholder):
            values[part] = text[position:end]
        position = end
    return PatternMatch(position, values)


def _literal_end(literal: str, text: str, start: int) -> int | NoMatch:
    if text.startswith(literal, start):
        return start + len(literal)
    return NoMatch.PARTIAL if literal.startswith(text[start:]) else NoMatch.NEVER


def _space_end(text: str, start: int) -> int | NoMatch:
    """No pattern ends with optional white space, and what follows it does not begin with any."""
    rest = text[start:].lstrip()
    return len(text) - len(rest) if rest else NoMatch.PARTIAL


def _word_end(text: str, start: int, following: str | Placeholder) -> int | NoMatch:
    """The word ends before a character that no word has, or before the literal that follows it in the pattern."""
    match = _WORD.match(text, start)
    assert match
    end = match.end()
    if isinstance(following, str) and following:
        found = text.find(following[0], start, end)
        end = end if found < 0 else found
    if end == len(text):
        return NoMatch.PARTIAL
    return end if end > start else NoMatch.NEVER


def _index_end(text: str, start: int) -> int | NoMatch:
    match = _DIGITS.match(text, start)
    assert match
    if match.end() == len(text):
        return NoMatch.PARTIAL
    return match.end() if match.end() > start else NoMatch.NEVER


_DIGITS = re.compile(r"[0-9]*")
_STRUCTURAL = re.compile(r'["\\{}\[\]]')


class JsonScanner:
    """Finds the end of one JSON object, whose text comes in parts."""

    def __init__(self) -> None:
        self._depth = 0
        self._is_in_string = False
        self._is_escaped = False

    def find_end(self, text: str) -> int | None:
        """Returns how many characters of the next part of the text belong to the object; None if the object does not
        end in it."""
        position = 0
        while position < len(text):
            if self._is_escaped:
                self._is_escaped = False
                position += 1
                continue
            match = _STRUCTURAL.search(text, position)
            if match is None:
                return None
            position = match.end()
            self._update(match[0])
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
