"""ToolFormat: how a model writes tool calls, as literal text with placeholders."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import takewhile

from grammar.call_arguments.syntax import ArgumentSyntax
from grammar.call_arguments.writer import write_arguments


class Placeholder(Enum):
    NAME = "name"
    ARGUMENTS = "arguments"
    """One JSON object."""
    ID = "id"
    INDEX = "index"
    """The number of the call in its turn."""
    SPACE = "space"
    """Optional white space."""


Pattern = tuple[str | Placeholder, ...]


@dataclass(frozen=True, slots=True)
class ToolFormat:
    """The calls of a turn are written as: opening, call, separator, call, ..., closing."""

    call: Pattern
    """With a name and arguments, in either order, and perhaps an id or the number of the call."""
    opening: str = ""
    separator: str | None = None
    """None if a turn has at most one call."""
    closing: str = ""
    arguments: ArgumentSyntax | None = None
    """How arguments are written; None if they are one JSON object."""
    first_index: int = 0
    """The number of the first call."""
    other_calls: tuple[Pattern, ...] = ()
    """Further forms of the first call, which the model may use in its place."""

    def write(self, calls: Sequence[tuple[str, str, str]]) -> str:
        """Returns the text of calls, each given as name, JSON text of the arguments, and id. Raises ValueError if that
        is no JSON object and arguments are written otherwise."""
        texts = [self._write_call(*call, index) for index, call in enumerate(calls, self.first_index)]
        return self.opening + (self.separator or "").join(texts) + self.closing

    @property
    def first_calls(self) -> tuple[Pattern, ...]:
        """All forms of the first call."""
        return (self.first_call, *map(with_optional_spaces, self.other_calls))

    @property
    def first_call(self) -> Pattern:
        """The opening and the first call, with optional spaces."""
        return with_optional_spaces((self.opening, *self.call))

    @property
    def later_call(self) -> Pattern | None:
        """The separator and a further call, with optional spaces; None if there is no further call."""
        if self.separator is None:
            return None
        return (Placeholder.SPACE, *with_optional_spaces((self.separator, *self.call)))

    @property
    def end(self) -> Pattern:
        """The closing, with optional spaces."""
        return (Placeholder.SPACE, *with_optional_spaces((self.closing,))) if self.closing.strip() else ()

    def trigger_of(self, first_call: Pattern) -> Pattern:
        """Returns the beginning of a form of the first call by which that is recognized."""
        if not self.is_only_at_start:
            return first_call[:1]
        return tuple(takewhile(lambda part: isinstance(part, str) or part is Placeholder.SPACE, first_call))

    @property
    def is_only_at_start(self) -> bool:
        """Whether a call has no tag at its beginning, so that it is recognized only at the start of an answer."""
        first = self.first_call[0]
        return not isinstance(first, str) or _UNTAGGED.fullmatch(first) is not None

    @property
    def literals(self) -> tuple[str, ...]:
        others = [part for call in self.other_calls for part in call]
        parts = [*_join_literals((self.opening, *self.call)), *others, self.separator, self.closing]
        if self.arguments:
            parts += [self.arguments.before_name, *self.arguments.befores, self.arguments.after_value]
            parts += [self.arguments.after_closing_name, self.arguments.separator, self.arguments.quote]
        return tuple(part for part in parts if isinstance(part, str))

    def _write_call(self, name: str, arguments: str, call_id: str, index: int) -> str:
        if self.arguments:
            arguments = write_arguments(self.arguments, json.loads(arguments))
        values = {
            Placeholder.NAME: name,
            Placeholder.ARGUMENTS: arguments,
            Placeholder.ID: call_id,
            Placeholder.INDEX: str(index),
        }
        return "".join(part if isinstance(part, str) else values[part] for part in self.call)


GENERIC_FORMAT = ToolFormat(
    call=('<tool_call>\n{"name": "', Placeholder.NAME, '", "arguments": ', Placeholder.ARGUMENTS, "}\n</tool_call>"),
    separator="\n",
)
"""For models whose own format is unknown; many models were trained on it."""

_STAND_INS = {
    Placeholder.NAME: "\ue000",
    Placeholder.ID: "\ue001",
    Placeholder.ARGUMENTS: "\ue002",
    Placeholder.INDEX: "\ue003",
}
"""Private-use characters for placeholders, so that a pattern can be searched as one text."""
_PLACEHOLDERS = {stand_in: placeholder for placeholder, stand_in in _STAND_INS.items()}
_STAND_IN = re.compile("([\ue000-\ue003])")
_OPTIONAL_SPACE = re.compile(
    r"(?<![\w\ue000\ue001\ue003\s])\s+|\s+(?![\w\ue000\ue001\ue003\s])"
    r"|(?<=\ue002)|(?=\ue002)"
    r"|(?<=[{\[,:])(?=[\"{\[])|(?<=[\"}\]])(?=[,:}\]])"
    r"|(?<=[\]>])(?=[{\[])|(?<=[}\]])(?=[<\[])"
)
"""White space that does not separate two words; both ends of the arguments; between JSON's own characters; and between
JSON and a tag."""
_UNTAGGED = re.compile(r'[{}\[\]":,]+|[a-z]+=')
"""The beginning of JSON, or of a header such as to=."""


def with_optional_spaces(pattern: Sequence[str | Placeholder]) -> Pattern:
    """Returns the pattern with SPACE wherever models differ in white space: see _OPTIONAL_SPACE. Not at its ends."""
    text = "".join(part if isinstance(part, str) else _STAND_INS[part] for part in pattern)
    spaced: list[str | Placeholder] = []
    for stretch in _OPTIONAL_SPACE.split(text):
        spaced += [_PLACEHOLDERS.get(part, part) for part in _STAND_IN.split(stretch) if part]
        spaced.append(Placeholder.SPACE)
    return _collapse_spaces(spaced)


def _join_literals(pattern: Sequence[str | Placeholder]) -> list[str | Placeholder]:
    """Joins adjacent texts, and drops empty ones."""
    joined: list[str | Placeholder] = []
    for part in (part for part in pattern if part != ""):
        last = joined[-1] if joined else None
        if isinstance(part, str) and isinstance(last, str):
            joined[-1] = last + part
        else:
            joined.append(part)
    return joined


def _collapse_spaces(pattern: Sequence[str | Placeholder]) -> Pattern:
    """Drops SPACE after SPACE, and at both ends."""
    collapsed: list[str | Placeholder] = []
    for part in pattern:
        if part != Placeholder.SPACE or (collapsed and collapsed[-1] != Placeholder.SPACE):
            collapsed.append(part)
    while collapsed and collapsed[-1] is Placeholder.SPACE:
        collapsed.pop()
    return tuple(collapsed)
