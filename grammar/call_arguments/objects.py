"""Objects: which arguments the schema of a tool has, each with what it may be."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from grammar.call_arguments.values import ANY_VALUE, Value, read_value
from grammar.json_schema.subschemas import Schema, SchemaReader, get_list


@dataclass(frozen=True, slots=True)
class Argument:
    name: str
    value: Value
    is_required: bool


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of a call, in their order."""

    named: tuple[Argument, ...]
    others: Value | None
    """What arguments with other names may be; None if there are none."""


MAX_ALTERNATIVES = 64
"""For the arguments of a call; what has more of them is described by their union."""
_OF_THE_WHOLE = frozenset({"minProperties", "maxProperties", "patternProperties"})


@dataclass(slots=True)
class _Members:
    properties: dict[str, object] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)
    additional: object = None
    is_declared: bool = False
    """Whether it says which properties there are."""
    is_exact: bool = True
    """Whether nothing else is allowed than what the schema allows."""

    @property
    def is_closed(self) -> bool:
        return self.is_declared if self.additional is None else self.additional is False

    def merged(self, other: "_Members") -> "_Members":
        additional = other.additional if self.additional is None else self.additional
        properties, required = {**self.properties, **other.properties}, self.required | other.required
        is_declared, is_exact = self.is_declared or other.is_declared, self.is_exact and other.is_exact
        return _Members(properties, required, additional, is_declared, is_exact)


@lru_cache(maxsize=512)  # an agent sends its tools with each turn
def read_arguments(text: str, *, has_bare_strings: bool) -> tuple[Arguments, ...]:
    """Returns the alternatives that a schema, as JSON text, has for the arguments of a call. Keywords that restrict an
    object as a whole, such as `maxProperties`, have no effect."""
    root = _read_root(text)
    alternatives = _read_members(root, SchemaReader(root))
    return tuple(_make_arguments(members, root, has_bare_strings) for members in alternatives)


def unenforced_keywords(text: str) -> list[str]:
    """Returns the keywords of a schema, as JSON text, that restrict the arguments as a whole; and anyOf, if there are
    so many alternatives that their union is taken."""
    schema = _read_root(text)
    is_exact = all(members.is_exact for members in _read_members(schema, SchemaReader(schema)))
    return sorted(_OF_THE_WHOLE & schema.keys() | (set() if is_exact else {"anyOf"}))


def _read_root(text: str) -> Schema:
    schema = json.loads(text)
    return schema if isinstance(schema, dict) else {}


def value_of(alternatives: Sequence[Arguments], name: str) -> Value:
    """Returns what the argument with this name may be."""
    for arguments in alternatives:
        for argument in arguments.named:
            if argument.name == name:
                return argument.value
    others = next((arguments.others for arguments in alternatives if arguments.others), None)
    return others or ANY_VALUE


def _read_members(schema: object, reader: SchemaReader) -> list[_Members]:
    if not isinstance(schema, Mapping):
        return [_Members()]
    with reader.enter() as may_read:
        return _read_alternatives(schema, reader) if may_read else [_Members(is_exact=False)]


def _read_alternatives(schema: Schema, reader: SchemaReader) -> list[_Members]:
    properties, required = schema.get("properties"), get_list(schema, "required")
    own = _Members(
        dict(properties) if isinstance(properties, Mapping) else {},
        {name for name in required if isinstance(name, str)},
        schema.get("additionalProperties"),
        is_declared=isinstance(properties, Mapping),
    )
    alternatives = [own]
    for part in get_list(schema, "allOf"):
        alternatives = _product(alternatives, _read_members(part, reader))
    if isinstance(reference := schema.get("$ref"), str):
        alternatives = _product(alternatives, _read_members(reader.resolve(reference), reader))
    for keyword in ("anyOf", "oneOf"):
        if parts := get_list(schema, keyword):
            several = [members for part in parts for members in _read_members(part, reader)]
            alternatives = _product(alternatives, several)
    return alternatives


def _product(ones: Sequence[_Members], others: Sequence[_Members]) -> list[_Members]:
    if len(ones) * len(others) > MAX_ALTERNATIVES:
        ones, others = [_union(ones)], [_union(others)]
    return [one.merged(other) for one in ones for other in others]


def _union(alternatives: Sequence[_Members]) -> _Members:
    """Returns members that allow what any of the alternatives allows, and more."""
    schemas: dict[str, list[object]] = {}
    for members in alternatives:
        for name, schema in members.properties.items():
            if schema not in schemas.setdefault(name, []):
                schemas[name].append(schema)
    properties = {name: parts[0] if len(parts) == 1 else {"anyOf": parts} for name, parts in schemas.items()}
    required = set.intersection(*(members.required for members in alternatives))
    is_open = not all(members.is_closed for members in alternatives)
    return _Members(properties, required, additional=is_open, is_exact=False)


def _make_arguments(members: _Members, root: Schema, has_bare_strings: bool) -> Arguments:
    additional = {} if members.additional in (None, True, False) else members.additional
    others = read_value(additional, root, has_bare_strings=has_bare_strings)
    named = [
        Argument(name, read_value(part, root, has_bare_strings=has_bare_strings), name in members.required)
        for name, part in members.properties.items()
        if part is not False
    ]
    unnamed = [
        Argument(name, others, is_required=True) for name in sorted(members.required) if name not in members.properties
    ]
    is_open = not members.is_declared if members.additional is None else members.additional is not False
    return Arguments((*named, *unnamed), others if is_open else None)
