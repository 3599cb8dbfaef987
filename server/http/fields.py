"""Typed readers for JSON values within a request. Each raises InvalidRequest, which names the field, for a value of
another type."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeGuard

import orjson

from slots.errors import InvalidRequest, UnbrokenTextError
from slots.requests.params import MAX_INTEGER, MAX_NUMBER, MIN_INTEGER

Fields = Mapping[str, object]

MAX_PREVIEW_CHARACTERS = 60


def preview(value: object) -> str:
    """Returns `value` as JSON, cut to a length that fits into a message."""
    try:
        text = orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return "a value nested too deeply to show"
    return text if len(text) <= MAX_PREVIEW_CHARACTERS else text[:MAX_PREVIEW_CHARACTERS] + "…"


def invalid_value(name: str, expected: str, value: object) -> InvalidRequest:
    return InvalidRequest(name, f"expected {expected}, got {'nothing' if value is None else preview(value)}")


def first_present(fields: Fields, *names: str) -> str:
    """Returns the first of several spellings of an option that a request has, else the first of all."""
    return next((name for name in names if fields.get(name) is not None), names[0])


def is_number(value: object) -> TypeGuard[int | float]:
    """Returns whether `value` is a JSON number; to Python, true and false are numbers as well."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_list_of_several(value: object) -> TypeGuard[list[object]]:
    """Returns whether `value` is a list of texts. A list with a number in it is one text, of token ids and strings."""
    return isinstance(value, list) and bool(value) and not any(is_number(part) for part in value)


def as_number(name: str, value: object) -> float:
    if not is_number(value):
        raise invalid_value(name, "a number", value)
    if abs(value) > MAX_NUMBER:
        raise invalid_value(name, f"a number from {-MAX_NUMBER} to {MAX_NUMBER}", value)
    return float(value)


def as_integer(name: str, value: object) -> int:
    """Returns `value` as an integer, which JSON may spell as 40.0."""
    if not is_number(value) or value != int(value):
        raise invalid_value(name, "an integer", value)
    if not MIN_INTEGER <= value <= MAX_INTEGER:
        raise invalid_value(name, f"an integer from {MIN_INTEGER} to {MAX_INTEGER}", value)
    return int(value)


def as_string(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise invalid_value(name, "a string", value)
    return value


def as_boolean(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise invalid_value(name, "true or false", value)
    return value


def as_strings(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise invalid_value(name, "a list of strings", value)
    return tuple(value)


def as_token(name: str, value: object, n_tokens: int) -> int:
    """Returns `value` as a token id in a vocabulary of `n_tokens` tokens."""
    token = as_integer(name, value)
    if not 0 <= token < n_tokens:
        raise invalid_value(name, f"the id of a token, from 0 to {n_tokens - 1}", value)
    return token


def read_member(name: str, fields: Fields, member: str) -> str:
    """Returns a string within the object `name`, or "" if it is absent."""
    value = fields.get(member)
    return "" if value is None else as_string(f"{name}.{member}", value)


@contextmanager
def naming_field(field: str) -> Iterator[None]:
    """Turns the error of a text that cannot be tokenized into an InvalidRequest that names `field`."""
    try:
        yield
    except UnbrokenTextError as error:
        raise InvalidRequest(field, str(error)) from None
