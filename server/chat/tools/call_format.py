"""How the calls of tools are written in the text of a model."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import takewhile


class Placeholder(Enum):
    """What stands between the literal pieces of a call."""

    NAME = "name"
    """Of the function."""
    ARGUMENTS = "arguments"
    """One JSON object."""
    ID = "id"
    """Of the call."""
    SPACE = "space"
    """White space or nothing."""


Pattern = tuple[str | Placeholder, ...]

_STAND_INS = {Placeholder.NAME: "\ue000", Placeholder.ID: "\ue001", Placeholder.ARGUMENTS: "\ue002"}
"""Characters that nobody writes, for marks within text."""
_PLACEHOLDERS = {stand_in: mark for mark, stand_in in _STAND_INS.items()}
_STAND_IN = re.compile("([\ue000-\ue002])")
_OPTIONAL_SPACE = re.compile(
    r"(?<![\w\ue000\ue001\s])\s+|\s+(?![\w\ue000\ue001\s])"
    r"|(?<=\ue002)|(?=\ue002)"
    r"|(?<=[{\[,:])(?=[\"{\[])|(?<=[\"}\]])(?=[,:}\]])"
    r"|(?<=[\]>])(?=[{\[])|(?<=[}\]])(?=[<\[])"
)
"""White space, unless it holds two words apart; both ends of the arguments; where JSON may have white space; and where
JSON begins or ends beside a tag."""
_JSON_ONLY = re.compile(r'[{}\[\]":,]+')


@dataclass(frozen=True, slots=True)
class ToolFormat:
    """The literal text around the names and arguments of calls. A run of calls reads: opening, call, separator, call,
    ..., closing."""

    call: Pattern
    """With a name and arguments, in any order, and perhaps an id."""
    opening: str = ""
    separator: str | None = None
    """None if a turn has no more than one call."""
    closing: str = ""

    def write(self, calls: Sequence[tuple[str, str, str]]) -> str:
        """Returns the text of calls, given by name, JSON text of the arguments, and id."""
        texts = [self._write_call(*call) for call in calls]
        return self.opening + (self.separator or "").join(texts) + self.closing

    @property
    def first_call(self) -> Pattern:
        """The first call of a turn with what comes in front, and the places where white space does not matter."""
        return with_optional_spaces((self.opening, *self.call))

    @property
    def later_call(self) -> Pattern | None:
        """As `first`, for any further call; None if there may be none."""
        return (
            None if self.separator is None else (Placeholder.SPACE, *with_optional_spaces((self.separator, *self.call)))
        )

    @property
    def end(self) -> Pattern:
        """What comes after the last call."""
        return (Placeholder.SPACE, *with_optional_spaces((self.closing,))) if self.closing.strip() else ()

    @property
    def trigger(self) -> Pattern:
        """How `first` begins: the text by which a call is told from other text."""
        return self._start if self.is_only_at_start else self.first_call[:1]

    @property
    def is_only_at_start(self) -> bool:
        """Whether a call is told from text by nothing but being JSON with the right members, which only counts at the
        start of an answer."""
        first = self.first_call[0]
        return isinstance(first, str) and _JSON_ONLY.fullmatch(first) is not None

    @property
    def literals(self) -> tuple[str, ...]:
        """All literal text, in pieces."""
        pieces = (*_join_literals((self.opening, *self.call)), self.separator, self.closing)
        return tuple(piece for piece in pieces if isinstance(piece, str))

    @property
    def _start(self) -> Pattern:
        return tuple(takewhile(lambda piece: isinstance(piece, str) or piece is Placeholder.SPACE, self.first_call))

    def _write_call(self, name: str, arguments: str, call_id: str) -> str:
        values = {Placeholder.NAME: name, Placeholder.ARGUMENTS: arguments, Placeholder.ID: call_id}
        return "".join(piece if isinstance(piece, str) else values[piece] for piece in self.call)


def with_optional_spaces(pieces: Sequence[str | Placeholder]) -> Pattern:
    """Returns pieces with a mark at each place where models write white space or not: around JSON's own characters, and
    wherever there is some, unless it holds two words apart. None is left at both ends."""
    text = "".join(piece if isinstance(piece, str) else _STAND_INS[piece] for piece in pieces)
    found: list[str | Placeholder] = []
    for stretch in _OPTIONAL_SPACE.split(text):
        found += [_PLACEHOLDERS.get(part, part) for part in _STAND_IN.split(stretch) if part]
        found.append(Placeholder.SPACE)
    return _collapse_spaces(found)


def _join_literals(pieces: Sequence[str | Placeholder]) -> list[str | Placeholder]:
    pattern: list[str | Placeholder] = []
    for piece in (piece for piece in pieces if piece != ""):
        last = pattern[-1] if pattern else None
        if isinstance(piece, str) and isinstance(last, str):
            pattern[-1] = last + piece
        else:
            pattern.append(piece)
    return pattern


def _collapse_spaces(pieces: Sequence[str | Placeholder]) -> Pattern:
    kept: list[str | Placeholder] = []
    for piece in pieces:
        if piece != Placeholder.SPACE or (kept and kept[-1] != Placeholder.SPACE):
            kept.append(piece)
    while kept and kept[-1] is Placeholder.SPACE:
        kept.pop()
    return tuple(kept)


GENERIC_FORMAT = ToolFormat(
    call=('<tool_call>\n{"name": "', Placeholder.NAME, '", "arguments": ', Placeholder.ARGUMENTS, "}\n</tool_call>"),
    separator="\n",
)
"""For models whose own format is unknown: one that many models have seen."""
