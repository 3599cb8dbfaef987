"""Schemas of which a value has to match many at once: what llguidance's time and memory grow exponentially with."""

from collections.abc import Iterator
from decimal import Decimal
from math import prod

from grammar.errors import GrammarError
from grammar.json_schema.subschemas import Schema, children, listed, subschemas, target
from grammar.limits import MAX_DEPTH

_MAX_PATTERNS = 8
"""Patterns and formats of one string."""
_MAX_MULTIPLE = 100_000
"""A number that others are to be multiples of, without its factors 2 and 5."""


def check_intersections(schema: Schema) -> None:
    """Raises GrammarError if a string may have to match too many patterns at once, or a number to be the multiple of
    too large a number."""
    if _Patterns(schema).most_at_once(schema) > _MAX_PATTERNS:
        raise GrammarError(f"a string of the schema may have to match more than {_MAX_PATTERNS} patterns at once")
    if prod(set(_multiples(schema))) > _MAX_MULTIPLE:
        raise GrammarError(
            'the numbers for "multipleOf" in the schema are too large: their product, '
            f"without its factors 2 and 5, is to be at most {_MAX_MULTIPLE}"
        )


class _Patterns:
    """Counts the patterns that apply to one string at most, which may be a few more than really do."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._known: dict[int, int] = {}

    def most_at_once(self, schema: object) -> int:
        """For the strings that a schema matches, and those within its values."""
        if not isinstance(schema, dict):
            return 0
        if id(schema) not in self._known:
            self._known[id(schema)] = 0  # within itself a schema adds nothing
            self._known[id(schema)] = self._count(schema)
        return self._known[id(schema)]

    def _count(self, schema: Schema) -> int:
        reference = schema.get("$ref")
        return (
            max(("pattern" in schema) + ("format" in schema), self._most(children(schema)))
            + sum(map(self.most_at_once, listed(schema, "allOf")))
            + self._most(listed(schema, "anyOf"))
            + self._most(listed(schema, "oneOf"))
            + (self.most_at_once(target(self._root, reference)) if isinstance(reference, str) else 0)
        )

    def _most(self, schemas: list[object]) -> int:
        return max(map(self.most_at_once, schemas), default=0)


def _multiples(schema: Schema) -> Iterator[int]:
    """All numbers of the schema for "multipleOf", without their factors 2 and 5: those are cheap to tell."""
    for _, part in subschemas(schema, MAX_DEPTH):
        number = part.get("multipleOf")
        if isinstance(number, int | float) and number > 0:
            digits = int("".join(map(str, Decimal(str(number)).as_tuple().digits)))
            for factor in (2, 5):
                while digits % factor == 0:
                    digits //= factor
            yield digits
