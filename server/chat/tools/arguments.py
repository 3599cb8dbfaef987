"""Readers of a call's arguments while they are generated: each returns them as JSON text, piece by piece."""

import ast
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, Protocol

from grammar.call_arguments.objects import Arguments, value_of
from grammar.call_arguments.syntax import CDATA_END, CDATA_START, ArgumentSyntax, spaced_parts
from server.chat.tools.call_format import Pattern, Placeholder
from server.chat.tools.matching import JsonScanner, NoMatch, match_pattern

_PYTHON_LITERALS = {"True": "true", "False": "false", "None": "null"}
_NAME = re.compile(r"[\w.-]+")


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a text."""

    json: str
    """A further part of the JSON text."""
    n_consumed: int
    """Characters of the text; the rest has to come again, with what follows it."""
    is_complete: bool = False


class ArgumentsReader(Protocol):
    def read(self, text: str) -> Reading:
        """Reads on in a text, which begins with what the last call has left of its own."""
        ...


class JsonReader:
    """Of one JSON object."""

    def __init__(self) -> None:
        self._scanner = JsonScanner()

    def read(self, text: str) -> Reading:
        end = self._scanner.find_end(text)
        return Reading(text, len(text)) if end is None else Reading(text[:end], end, is_complete=True)


class SyntaxReader:
    """Of arguments in a syntax of the model's own."""

    def __init__(self, syntax: ArgumentSyntax, alternatives: Sequence[Arguments]) -> None:
        """`alternatives` are what the schema of the called tool allows."""
        self._syntax = syntax
        self._alternatives = alternatives
        self._n_arguments = 0
        self._value: _ValueReader | None = None
        """Of the value that is being read."""
        self._text = ""
        self._json = ""
        self._is_complete = False

    def read(self, text: str) -> Reading:
        self._text = text
        while not self._is_complete and (self._read_value() if self._value else self._read_name()):
            pass
        json_text, self._json = self._json, ""
        return Reading(json_text, len(text) - len(self._text), self._is_complete)

    def _read_name(self) -> bool:
        """Reads up to a value, or finds that there is none; returns False if that needs more text."""
        match = match_pattern(self._pattern_before_name(), self._text)
        if match is NoMatch.PARTIAL:
            return False
        start = None if isinstance(match, NoMatch) else match.end
        found = None if start is None else self._find_name(start)
        if found is NoMatch.PARTIAL:
            return False
        if found is None or isinstance(found, NoMatch):
            self._json += "{}" if self._n_arguments == 0 else "}"
            self._is_complete = True
            return True
        name, before, end = found
        self._json += ("{" if self._n_arguments == 0 else ", ") + json.dumps(name, ensure_ascii=False) + ": "
        self._n_arguments += 1
        self._value = self._make_value_reader(name, before)
        self._text = self._text[end:]
        return True

    def _pattern_before_name(self) -> Pattern:
        """Ends with a literal or, for a name without anything before it, with white space."""
        separator = self._syntax.separator.strip() if self._n_arguments else ""
        literals = [text for text in (separator, self._syntax.before_name.strip()) if text]
        return tuple(part for text in literals for part in (Placeholder.SPACE, text)) or (Placeholder.SPACE,)

    def _find_name(self, start: int) -> tuple[str, str, int] | NoMatch | None:
        """Returns the name that begins at an index, what is between it and its value, and where that ends. None if no
        name begins there."""
        befores = self._syntax.befores
        text = self._text
        if not self._syntax.before_name.strip():
            start = len(text) - len(text[start:].lstrip())
            name = _NAME.match(text, start)
            if name is None:
                return NoMatch.PARTIAL if start == len(text) else None
            end = name.end()
        else:
            end = text.find(befores[0][0], start)
            if text.startswith("/", start):
                return None  # a tag that closes something
        if end < 0 or end == len(text):
            return NoMatch.PARTIAL
        matches = [(before, match_pattern(_to_pattern(before), text[end:])) for before in befores]
        for before, match in sorted(matches, key=lambda pair: -len(pair[0])):
            if not isinstance(match, NoMatch):
                return text[start:end].strip(), before, end + match.end
        return NoMatch.PARTIAL if any(match is NoMatch.PARTIAL for _, match in matches) else None

    def _make_value_reader(self, name: str, before: str) -> "_ValueReader":
        syntax, value = self._syntax, value_of(self._alternatives, name)
        after = syntax.after(name)
        match syntax.strings:
            case "python" | "quoted":
                return _ScannedValue(syntax.quote if syntax.strings == "quoted" else "", after.strip())
        kind = None
        if syntax.tells_kinds:
            kind = "string" if before == syntax.before_value else "json"
        elif not value.is_split:
            kind = "json"
        elif value.strings is not None and not value.others:
            kind = "string"
        space = before[len(before.rstrip()) :]
        return _BareValue(
            kind,
            value.kind_of_bare,
            space,
            after.rstrip(),
            literals=_PYTHON_LITERALS if syntax.has_python_literals else {},
            has_cdata=syntax.strings == "cdata",
        )

    def _read_value(self) -> bool:
        assert self._value
        reading = self._value.read(self._text)
        self._json += reading.json
        self._text = self._text[reading.n_consumed :]
        if reading.is_complete:
            self._value = None
        return reading.is_complete


class _ValueReader(Protocol):
    def read(self, text: str) -> Reading: ...


class _BareValue:
    """A value that goes on up to what ends it. A string is returned while it comes, other values as a whole."""

    def __init__(
        self,
        kind: str | None,
        kind_of: Callable[[str], str],
        space: str,
        end: str,
        *,
        literals: Mapping[str, str],
        has_cdata: bool,
    ) -> None:
        """`kind` is string, json, or None if `kind_of` decides by the text. `space` before the value and at the
        beginning of `end` does not belong to it. `literals` are what JSON spells otherwise."""
        self._literals = literals
        self._kind = kind
        self._kind_of = kind_of
        self._space = space
        self._end = end.lstrip()
        self._space_at_end = end[: len(end) - len(self._end)]
        self._has_cdata = has_cdata
        self._has_begun = False
        self._is_string_open = False

    def read(self, text: str) -> Reading:
        if self._has_cdata and not self._has_begun:
            if CDATA_START.startswith(text.lstrip()[: len(CDATA_START)]) and len(text.lstrip()) < len(CDATA_START):
                return Reading("", 0)
            if text.lstrip().startswith(CDATA_START):
                return self._read_cdata(text)
        end = text.find(self._end)
        if end < 0:
            return self._read_string(text) if self._kind == "string" else Reading("", 0)
        value = text[:end].removesuffix(self._space_at_end) if self._space_at_end else text[:end]
        json_text = self._close_string(value) if self._is_string_open else self._to_json(self._without_space(value))
        return Reading(json_text, end + len(self._end), is_complete=True)

    def _read_cdata(self, text: str) -> Reading:
        start = text.index(CDATA_START) + len(CDATA_START)
        close = text.find(CDATA_END, start)
        end = text.find(self._end, close) if close >= 0 else -1
        if end < 0:
            return Reading("", 0)
        return Reading(_dump(text[start:close]), end + len(self._end), is_complete=True)

    def _read_string(self, text: str) -> Reading:
        """Returns what surely belongs to the string."""
        if not self._has_begun and len(text) <= len(self._space):
            return Reading("", 0)
        n_kept = len(self._end) + len(self._space_at_end)
        begins = self._space if not self._has_begun and self._space and text.startswith(self._space) else ""
        body = text[len(begins) : max(len(text) - n_kept, 0)]
        if not body:
            return Reading("", 0)
        opening = "" if self._is_string_open else '"'
        self._has_begun = self._is_string_open = True
        return Reading(opening + _dump(body)[1:-1], len(begins) + len(body))

    def _close_string(self, value: str) -> str:
        return _dump(value)[1:]

    def _without_space(self, value: str) -> str:
        return value.removeprefix(self._space) if self._space else value

    def _to_json(self, value: str) -> str:
        text = self._literals.get(value.strip(), value)
        kind = self._kind or self._kind_of(text)
        return text.strip() if kind != "string" and _is_json(text) else _dump(value)


class _ScannedValue:
    """A literal of JSON or Python, or a string between quotes of the model's own."""

    def __init__(self, quote: str, end: str) -> None:
        """`end` follows the value, if it is not empty."""
        self._quote = quote
        self._end = end

    def read(self, text: str) -> Reading:
        start = len(text) - len(text.lstrip())
        if self._quote and self._quote.startswith(text[start : start + len(self._quote)]):
            if len(text) - start < len(self._quote):
                return Reading("", 0)
            close = text.find(self._quote, start + len(self._quote))
            if close < 0:
                return Reading("", 0)
            return self._finish(_dump(text[start + len(self._quote) : close]), text, close + len(self._quote))
        end = _literal_end(text, start)
        return Reading("", 0) if end is None else self._finish(_literal_to_json(text[start:end].strip()), text, end)

    def _finish(self, json_text: str, text: str, end: int) -> Reading:
        if self._end:
            found = text.find(self._end, end)
            if found < 0:
                return Reading("", 0)
            end = found + len(self._end)
        return Reading(json_text, end, is_complete=True)


def _literal_end(text: str, start: int) -> int | None:
    """Returns the index after a literal: before a comma or a bracket that it did not open; None if it may go on."""
    depth, quote, index = 0, "", start
    while index < len(text):
        char = text[index]
        if quote:
            index += char == "\\"
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in "([{":
            depth += 1
        elif depth == 0 and char in ",)]}":
            return index
        elif char in ")]}":
            depth -= 1
        index += 1
    return None


def _literal_to_json(text: str) -> str:
    if text in _PYTHON_LITERALS:
        return _PYTHON_LITERALS[text]
    if _is_json(text):
        return text
    try:
        return _dump(ast.literal_eval(text.replace("\n", "\\n").replace("\r", "\\r")))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        is_quoted = len(text) > 1 and text[0] in "\"'" and text[-1] == text[0]
        return _dump(text[1:-1] if is_quoted else text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _to_pattern(text: str) -> Pattern:
    return tuple(Placeholder.SPACE if part is None else part for part in spaced_parts(text))
