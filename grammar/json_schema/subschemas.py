"""Traversal of JSON schemas: subschemas and references."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import unquote

from grammar.errors import GrammarError
from grammar.limits import MAX_DEPTH

Schema = Mapping[str, object]

NAMED = ("properties", "patternProperties", "$defs", "definitions")
LISTED = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
SINGLE = ("items", "additionalItems", "additionalProperties")
"""The keywords whose values are schemas by name, lists of schemas, and single schemas."""


def subschemas(schema: Schema, max_depth: int) -> Iterator[tuple[str, Schema]]:
    """Yields a schema and all subschemas that are objects, each with its JSON pointer.

    Raises GrammarError if they are nested deeper than `max_depth`.
    """
    level: list[tuple[str, Schema]] = [("#", schema)]
    for _ in range(max_depth):
        yield from level
        level = [inner for pointer, outer in level for inner in _direct_subschemas(pointer, outer)]
        if not level:
            return
    raise GrammarError(f"schemas are nested more than {max_depth} deep")


def children(schema: Schema) -> list[object]:
    """The subschemas for the members and items of a value."""
    named = [schema.get(keyword) for keyword in ("properties", "patternProperties")]
    parts_of_value: list[object] = [part for parts in named if isinstance(parts, dict) for part in parts.values()]
    for keyword in ("prefixItems", "items"):
        parts_of_value += get_list(schema, keyword)
    return parts_of_value + [schema.get(keyword) for keyword in SINGLE]


def get_list(schema: Schema, keyword: str) -> list[object]:
    """The value of a keyword if it is a list, else an empty list."""
    value = schema.get(keyword)
    return value if isinstance(value, list) else []


def resolve_pointer(schema: Schema, reference: str) -> object:
    """The part of a schema at a JSON pointer; None if there is none, or if the reference is not a pointer."""
    if reference != "#" and not reference.startswith("#/"):
        return None
    part: object = schema
    for name in unquote(reference).split("/")[1:]:
        key = name.replace("~1", "/").replace("~0", "~")
        if isinstance(part, list) and key.isdecimal() and int(key) < len(part):
            part = part[int(key)]
        elif isinstance(part, dict):
            part = part.get(key)
        else:
            return None
    return part


def _direct_subschemas(pointer: str, schema: Schema) -> Iterator[tuple[str, Schema]]:
    for keyword in NAMED:
        named = schema.get(keyword)
        if isinstance(named, dict):
            yield from ((f"{pointer}/{keyword}/{escape(name)}", s) for name, s in named.items() if isinstance(s, dict))
    for keyword in LISTED:
        listed = schema.get(keyword)
        if isinstance(listed, list):
            yield from ((f"{pointer}/{keyword}/{n}", s) for n, s in enumerate(listed) if isinstance(s, dict))
    for keyword in SINGLE:
        single = schema.get(keyword)
        if isinstance(single, dict):
            yield f"{pointer}/{keyword}", single


def escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


class SchemaReader:
    """Follows the references of a schema, and bounds how much is read: few schemas that refer to each other may stand
    for any number of them."""

    def __init__(self, root: Schema, max_schemas: int = 2_000) -> None:
        self._root = root
        self._n_left = max_schemas
        self._depth = 0

    @contextmanager
    def enter(self) -> Iterator[bool]:
        """A level deeper while the context lasts. Yields whether there may be one more."""
        self._n_left -= 1
        self._depth += 1
        try:
            yield self._n_left >= 0 and self._depth <= MAX_DEPTH
        finally:
            self._depth -= 1

    def resolve(self, reference: str) -> object:
        return resolve_pointer(self._root, reference)
