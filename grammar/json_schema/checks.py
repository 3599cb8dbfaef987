"""Checks of a schema that llguidance does not make.

It compiles schemas that require themselves, and a model would then write for ever. It intersects any number of
patterns, which can take unbounded memory. For an integer that can only be the smallest of 64 bits it recurses until the
process ends.
"""

from collections.abc import Container, Iterator
from decimal import Decimal
from math import prod

from grammar.errors import GrammarError
from grammar.json_schema.subschemas import Schema, children, get_list, resolve_pointer, subschemas
from grammar.limits import MAX_DEPTH

_WITH_VALUES = frozenset({"const", "enum"})
_UPPER_LIMITS = _WITH_VALUES | {"maximum", "exclusiveMaximum"}
_MAX_PATTERNS = 8
_MAX_MULTIPLE = 1_000_000
"""Product of the numbers for "multipleOf": a grammar with the largest takes a second to compile."""
_MAX_ODD_MULTIPLE = 100_000
"""The same without their factors 2 and 5."""

_SMALLEST = -(2**63) + 2048
"""The smallest number that an integer of a schema may be limited to from above. It is the next but one whose value as a
64-bit float is another than the smallest."""


def check_numbers(schema: Schema) -> None:
    """Raises GrammarError if a number may be limited to those that llguidance takes for the smallest of 64 bits, all
    below included. Only a minimum may be one. References may lead to any part, so each is looked at."""
    parts: list[object] = [schema]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            for keyword in _UPPER_LIMITS & part.keys():
                _check_limit(keyword, part[keyword])
        parts += part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()


def _check_limit(keyword: str, limit: object) -> None:
    parts = [limit]
    while parts:
        part = parts.pop()
        if isinstance(part, int | float) and part < _SMALLEST:
            raise GrammarError(f'"{keyword}" of the schema: expected numbers from {_SMALLEST} on, got {part}')
        if keyword in _WITH_VALUES:
            parts += part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()


def check_completable(schema: Schema) -> None:
    """Raises GrammarError if the schema refers to a part of it that no finite value matches."""
    targets = {
        reference: resolve_pointer(schema, reference)
        for _, part in subschemas(schema, MAX_DEPTH)
        if isinstance(reference := part.get("$ref"), str) and reference.startswith("#")
    }
    # References without a target are reported by llguidance.
    finite = {reference for reference, part in targets.items() if part is None}
    while new := {r for r, part in targets.items() if r not in finite and _is_finite(part, finite)}:
        finite |= new
    endless = next((reference for reference in targets if reference not in finite), None)
    if endless is not None:
        raise GrammarError(f'nothing can satisfy "{endless}" of the schema: it requires itself')


def check_intersections(schema: Schema) -> None:
    """Raises GrammarError if a string may have to match too many patterns at once, or a number too large a multiple."""
    if _PatternCounter(schema).max_simultaneous(schema) > _MAX_PATTERNS:
        raise GrammarError(f"a string of the schema may have to match more than {_MAX_PATTERNS} patterns at once")
    multiples = set(_multiples(schema))
    if prod(map(_odd_part, multiples)) > _MAX_ODD_MULTIPLE or prod(map(_without_zeros, multiples)) > _MAX_MULTIPLE:
        raise GrammarError(
            'the numbers for "multipleOf" in the schema are too large: their product is to be at most '
            f"{_MAX_MULTIPLE}, and at most {_MAX_ODD_MULTIPLE} without its factors 2 and 5"
        )


def _is_finite(schema: object, finite: Container[str]) -> bool:
    """Whether the references in a schema allow a finite value, if those in `finite` do."""
    if not isinstance(schema, dict):
        return True
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#") and reference not in finite:
        return False
    if not all(_is_finite(part, finite) for part in get_list(schema, "allOf")):
        return False
    for keyword in ("anyOf", "oneOf"):
        parts = get_list(schema, keyword)
        if parts and not any(_is_finite(part, finite) for part in parts):
            return False
    return _is_finite_for_type(schema, finite)


def _is_finite_for_type(schema: Schema, finite: Container[str]) -> bool:
    types = schema.get("type")
    types = [types] if isinstance(types, str) else types
    if not isinstance(types, list) or not types:
        return True
    checks = {"object": _is_finite_object, "array": _is_finite_array}
    return any(kind not in checks or checks[kind](schema, finite) for kind in types if isinstance(kind, str))


def _is_finite_object(schema: Schema, finite: Container[str]) -> bool:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return True
    return all(_is_finite(properties.get(name), finite) for name in get_list(schema, "required"))


def _is_finite_array(schema: Schema, finite: Container[str]) -> bool:
    min_items = schema.get("minItems", 0)
    if not isinstance(min_items, int):
        return True
    prefix = get_list(schema, "prefixItems") or get_list(schema, "items")
    if not all(_is_finite(part, finite) for part in prefix[:min_items]):
        return False
    return min_items <= len(prefix) or _is_finite(schema.get("items"), finite)


class _PatternCounter:
    """An upper bound of the number of patterns that apply to one string."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._counts: dict[int, int] = {}

    def max_simultaneous(self, schema: object) -> int:
        """For the strings that match a schema, and those within its values."""
        if not isinstance(schema, dict):
            return 0
        if id(schema) not in self._counts:
            self._counts[id(schema)] = 0  # a schema adds nothing to itself
            self._counts[id(schema)] = self._count(schema)
        return self._counts[id(schema)]

    def _count(self, schema: Schema) -> int:
        reference = schema.get("$ref")
        return (
            max(("pattern" in schema) + ("format" in schema), self._max(children(schema)))
            + sum(map(self.max_simultaneous, get_list(schema, "allOf")))
            + self._max(get_list(schema, "anyOf"))
            + self._max(get_list(schema, "oneOf"))
            + (self.max_simultaneous(resolve_pointer(self._root, reference)) if isinstance(reference, str) else 0)
        )

    def _max(self, schemas: list[object]) -> int:
        return max(map(self.max_simultaneous, schemas), default=0)


def _multiples(schema: Schema) -> Iterator[int]:
    """The digits of the numbers for "multipleOf"."""
    for _, part in subschemas(schema, MAX_DEPTH):
        number = part.get("multipleOf")
        if isinstance(number, int | float) and not isinstance(number, bool) and number > 0:
            yield int("".join(map(str, Decimal(str(number)).as_tuple().digits)))


def _odd_part(number: int) -> int:
    """Returns the number without its factors 2 and 5, of which a few are cheap to check."""
    for factor in (2, 5):
        while number % factor == 0:
            number //= factor
    return number


def _without_zeros(number: int) -> int:
    """Returns the number without the zeros at its end, if these are cheap to check."""
    return int(str(number).rstrip("0")) if _odd_part(number) == 1 else number
