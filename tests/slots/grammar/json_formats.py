"""Checks of JSON Schema formats for which jsonschema would need other packages."""

import re
from collections.abc import Callable
from datetime import date

from jsonschema import FormatChecker

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)", re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)


def is_time(text: str) -> bool:
    """RFC 3339's full-time."""
    return _TIME.fullmatch(text) is not None


def is_date_time(text: str) -> bool:
    """RFC 3339's date-time. Raises ValueError for a day that there is not."""
    return bool(date.fromisoformat(text[:10])) and text[10:11] in "Tt" and is_time(text[11:])


def is_hostname(text: str) -> bool:
    """RFC 1123's."""
    return len(text) <= 253 and all(map(_LABEL.fullmatch, text.split(".")))


def format_checker() -> FormatChecker:
    """Returns jsonschema's own, with what it lacks."""
    checker = FormatChecker()
    ours: dict[str, Callable[[str], bool]] = {"time": is_time, "date-time": is_date_time, "hostname": is_hostname}
    for name, check in ours.items():
        checker.checks(name, raises=ValueError)(_of_strings(check))
    return checker


def _of_strings(check: Callable[[str], bool]) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or check(value)
