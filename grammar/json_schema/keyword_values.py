"""What the value of each keyword of a schema has to be."""

from collections.abc import Callable, Mapping
from typing import TypeGuard

TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")


def _is_type(value: object) -> bool:
    return value in TYPES if isinstance(value, str) else isinstance(value, list) and bool(value) and _are_types(value)


def _are_types(values: list[object]) -> bool:
    return all(isinstance(value, str) and value in TYPES for value in values)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)


def _is_schema(value: object) -> bool:
    return isinstance(value, Mapping | bool)


def _is_list(value: object) -> bool:
    return isinstance(value, list) and bool(value)


def _are_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


_CHECKS: dict[str, Callable[[object], bool]] = {
    "type": _is_type,
    "enum": _is_list,
    "required": _are_strings,
    "multipleOf": lambda value: _is_number(value) and value > 0,
    "items": lambda value: _is_schema(value) or isinstance(value, list),
    "additionalItems": _is_schema,
    "additionalProperties": _is_schema,
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), _is_list),
    **dict.fromkeys(("properties", "patternProperties", "$defs", "definitions"), lambda v: isinstance(v, Mapping)),
    **dict.fromkeys(("minimum", "maximum"), _is_number),
    **dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum"), lambda v: isinstance(v, int | float)),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _is_count),
    **dict.fromkeys(("$schema", "$id", "id", "$anchor", "$ref", "pattern", "format"), _is_text),
}


def is_valid_value(keyword: str, value: object) -> bool:
    """Whether JSON Schema allows a value of a keyword by its kind; true for a keyword that may have any."""
    check = _CHECKS.get(keyword)
    return check is None or check(value)
