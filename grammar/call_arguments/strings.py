"""Regular expressions for the strings of a schema, which are written without quotes and escapes."""

from dataclasses import dataclass

from grammar.errors import GrammarError

_YEAR_TO_DAY = (
    r"[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9]))"
)
_TIME_OF_DAY = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_BYTE = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_FORMATS = {
    "date": _YEAR_TO_DAY,
    "time": _TIME_OF_DAY,
    "date-time": f"{_YEAR_TO_DAY}T{_TIME_OF_DAY}",
    "duration": r"P([0-9]{1,9}W|[0-9]{1,9}Y([0-9]{1,9}M)?([0-9]{1,9}D)?|[0-9]{1,9}M([0-9]{1,9}D)?|[0-9]{1,9}D|"
    r"T([0-9]{1,9}H([0-9]{1,9}M)?([0-9]{1,9}S)?|[0-9]{1,9}M([0-9]{1,9}S)?|[0-9]{1,9}S))",
    "email": rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~-]+)*@{_LABEL}(\.{_LABEL})+",
    "hostname": rf"{_LABEL}(\.{_LABEL})*",
    "ipv4": rf"{_BYTE}(\.{_BYTE}){{3}}",
    "ipv6": r"([0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}|([0-9A-Fa-f]{1,4}:){1,6}(:[0-9A-Fa-f]{1,4})|::1",
    "uuid": r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    "uri": r"[A-Za-z][A-Za-z0-9+.-]*:(//)?[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+",
}


@dataclass(frozen=True, slots=True)
class Strings:
    """The strings that a value may be."""

    values: tuple[str, ...] | None = None
    """None if any, within the bounds of the other members."""
    pattern: str | None = None
    format: str | None = None
    min_length: int = 0
    max_length: int | None = None

    @property
    def are_free(self) -> bool:
        return self == Strings()


def expressions_of(strings: Strings) -> list[str]:
    """Returns the regular expressions that a whole string has to match, all of them; none if it is free. Raises
    GrammarError for a format or pattern that cannot be written so."""
    if strings.values is not None:
        return ["|".join(map(_escape, strings.values))]
    expressions: list[str] = []
    if strings.min_length or strings.max_length is not None:
        limit = "" if strings.max_length is None else str(strings.max_length)
        expressions.append(f"(?s:.{{{strings.min_length},{limit}}})")
    if strings.pattern is not None:
        expressions.append(_whole(strings.pattern))
    if strings.format is not None:
        if strings.format not in _FORMATS:
            raise GrammarError(f'the format "{strings.format}" is not supported')
        expressions.append(_FORMATS[strings.format])
    return expressions


def can_be_expressed(strings: Strings) -> bool:
    """Whether `expressions_of` has expressions for the strings."""
    if strings.pattern is not None and _has_inner_anchor(strings.pattern):
        return False
    return strings.format is None or strings.format in _FORMATS


def _escape(text: str) -> str:
    return "".join(char if char.isalnum() and char.isascii() else f"\\x{{{ord(char):X}}}" for char in text)


def _whole(pattern: str) -> str:
    """Returns the expression of texts in which a pattern is found."""
    before = "" if pattern.startswith("^") else "(?s:.*)"
    after = "" if _ends_with_anchor(pattern) else "(?s:.*)"
    return f"{before}({_without_anchors(pattern)}){after}"


def _without_anchors(pattern: str) -> str:
    body = pattern.removeprefix("^")
    return body[:-1] if _ends_with_anchor(pattern) else body


def _ends_with_anchor(pattern: str) -> bool:
    before = pattern[:-1]
    n_backslashes = len(before) - len(before.rstrip("\\"))
    return pattern.endswith("$") and n_backslashes % 2 == 0


def _has_inner_anchor(pattern: str) -> bool:
    """Whether a pattern may have anchors besides those at its ends, or alternatives that these belong to."""
    body = _without_anchors(pattern)
    depth, index, is_in_class = 0, 0, False
    while index < len(body):
        char = body[index]
        if char == "\\":
            index += 1
        elif is_in_class:
            is_in_class = char != "]"
        elif char in "^$" or (char == "|" and depth == 0 and body != pattern):
            return True
        else:
            is_in_class = char == "["
            depth += (char == "(") - (char == ")")
        index += 1
    return False
