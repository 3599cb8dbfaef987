"""Closes objects: one with `properties` that does not say what else it may have gets no other members.

JSON Schema leaves such objects open, and small models then invent members until they are cut off. Whoever writes a
schema (pydantic does not write `additionalProperties` either) expects the members that it names, as llama.cpp gives.
"""

from collections.abc import Iterator, Mapping

from grammar.json_schema.subschemas import NAMED, Schema, get_list, subschemas
from grammar.limits import MAX_DEPTH

_OPEN_KEYWORDS = frozenset({"additionalProperties", "patternProperties", "$ref", "allOf", "anyOf", "oneOf"})
"""Keywords by which a schema allows members besides its properties."""
_ALTERNATIVES = ("anyOf", "oneOf")
_OF_VALUES = ("items", "additionalItems", "additionalProperties", "prefixItems")


def close_objects(schema: Schema) -> Schema:
    """Returns the schema with its objects closed. Those that apply to a value together with others (`allOf`, or
    alternatives beside `properties`) stay open: each would forbid the members of the others."""
    return _Closer(schema).close(schema, "#", is_alone=True)


class _Closer:
    def __init__(self, root: Schema) -> None:
        self._combined = frozenset(_combined_references(root))

    def close(self, schema: Schema, pointer: str, *, is_alone: bool) -> dict[str, object]:
        """`is_alone` says that no other schema applies to the same value."""
        closed: dict[str, object] = {}
        for keyword, value in schema.items():
            closed[keyword] = self._close_parts(schema, keyword, value, pointer, is_alone=is_alone)
        is_object = isinstance(schema.get("properties"), dict) and _OPEN_KEYWORDS.isdisjoint(schema)
        if is_object and is_alone and pointer not in self._combined:
            closed["additionalProperties"] = False
        return closed

    def _close_parts(self, schema: Schema, keyword: str, value: object, pointer: str, *, is_alone: bool) -> object:
        if keyword in NAMED and isinstance(value, Mapping):
            return {name: self._close_any(part, f"{pointer}/{keyword}/{name}", True) for name, part in value.items()}
        if keyword in _OF_VALUES and isinstance(value, list):
            return [self._close_any(part, f"{pointer}/{keyword}", True) for part in value]
        if keyword in _OF_VALUES:
            return self._close_any(value, f"{pointer}/{keyword}", True)
        if keyword in _ALTERNATIVES and isinstance(value, list):
            alone = is_alone and "properties" not in schema and "allOf" not in schema
            return [self._close_any(part, f"{pointer}/{keyword}", alone) for part in value]
        if keyword == "allOf" and isinstance(value, list):
            return [self._close_any(part, f"{pointer}/{keyword}", False) for part in value]
        return value

    def _close_any(self, part: object, pointer: str, is_alone: bool) -> object:
        return self.close(part, pointer, is_alone=is_alone) if isinstance(part, Mapping) else part


def _is_combination(schema: Schema) -> bool:
    """Whether several schemas of objects apply to the same value."""
    parts = len(get_list(schema, "allOf")) + ("$ref" in schema)
    return parts > 1 or (parts == 1 and not {"properties", "anyOf", "oneOf"}.isdisjoint(schema))


def _combined_references(root: Schema) -> Iterator[str]:
    """Yields the references to definitions that apply to a value together with others."""
    for _, schema in subschemas(root, MAX_DEPTH):
        if _is_combination(schema):
            parts = [schema, *get_list(schema, "allOf"), *get_list(schema, "anyOf"), *get_list(schema, "oneOf")]
        elif "properties" in schema:
            parts = [*get_list(schema, "anyOf"), *get_list(schema, "oneOf")]
        else:
            continue
        for part in parts:
            if isinstance(part, Mapping) and isinstance(part.get("$ref"), str):
                yield str(part["$ref"])
