"""ArgumentSyntax: how a model writes the arguments of a call, if not as one JSON object."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

StringStyle = Literal["raw", "cdata", "python", "quoted"]
"""raw: as they are, up to what ends a value. cdata: the same, within <![CDATA[ and ]]> if they have <, & or a line
break. python: within single or double quotes, with escapes. quoted: as they
are, within a quote of several characters. Other values are JSON."""

_BETWEEN_TAGS = re.compile(r"(?<=>)\s+(?=<)")

CDATA_START, CDATA_END = "<![CDATA[", "]]>"


@dataclass(frozen=True, slots=True)
class ArgumentSyntax:
    """Arguments are written as: before_name, name, before_value, value, after_value; with separators between them."""

    before_name: str
    before_value: str
    """Before a string."""
    after_value: str
    before_other: tuple[tuple[str, str], ...] = ()
    """By kind (see `values.KINDS`), what is before a value of another kind; the same as before a string if none is."""
    after_closing_name: str | None = None
    """If the name is written again, after `after_value`: what follows it then."""
    separator: str = ""
    strings: StringStyle = "raw"
    quote: str = ""
    """Of quoted strings."""
    has_python_literals: bool = False
    """Whether true, false and null may also be True, False and None."""

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Self:
        before_other = tuple((str(kind), str(text)) for kind, text in members["before_other"])
        return cls(**{**members, "before_other": before_other})

    def json(self) -> dict[str, object]:
        return asdict(self)

    @property
    def tells_kinds(self) -> bool:
        """Whether what is before a value tells a string from other values."""
        return any(text != self.before_value for _, text in self.before_other)

    @property
    def has_bare_strings(self) -> bool:
        """Whether strings have no quotes, nor anything else that tells them from other values."""
        return self.strings in ("raw", "cdata") and not self.tells_kinds

    def before(self, kind: str) -> str:
        """Returns what is before a value of a kind."""
        return self.before_value if kind == "string" else dict(self.before_other).get(kind, self.before_value)

    @property
    def befores(self) -> tuple[str, ...]:
        """All that may be before a value, each once."""
        return tuple(dict.fromkeys((self.before_value, *(text for _, text in self.before_other))))

    def after(self, name: str) -> str:
        """Returns what is after the value of the argument with this name."""
        if self.after_closing_name is None:
            return self.after_value
        return self.after_value + name + self.after_closing_name


def spaced_parts(text: str) -> list[str | None]:
    """Returns a text as parts, with None for the white space between two tags, which may be left out, and without
    white space at its end."""
    parts: list[str | None] = []
    for piece in _BETWEEN_TAGS.split(text.rstrip()):
        parts += [None, piece] if parts else [piece]
    return parts
