"""Schemas that require themselves: a value of theirs would never end.

llguidance compiles them all the same, and a model would go on for ever.
"""

from collections.abc import Container

from grammar.errors import GrammarError
from grammar.json_schema.subschemas import Schema, listed, subschemas, target
from grammar.limits import MAX_DEPTH


def check_completable(schema: Schema) -> None:
    """Raises GrammarError if the schema refers to a part of it that no value of finite size can match."""
    targets = {
        reference: target(schema, reference)
        for _, part in subschemas(schema, MAX_DEPTH)
        if isinstance(reference := part.get("$ref"), str) and reference.startswith("#")
    }
    # What there is no such part for is llguidance's to judge.
    finite = {reference for reference, part in targets.items() if part is None}
    while new := {r for r, part in targets.items() if r not in finite and _is_finite(part, finite)}:
        finite |= new
    endless = next((reference for reference in targets if reference not in finite), None)
    if endless is not None:
        raise GrammarError(f'nothing can satisfy "{endless}" of the schema: it requires itself')


def _is_finite(schema: object, finite: Container[str]) -> bool:
    """Whether a finite value matches a schema, as far as that depends on references, where it does for these."""
    if not isinstance(schema, dict):
        return True
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#") and reference not in finite:
        return False
    if not all(_is_finite(part, finite) for part in listed(schema, "allOf")):
        return False
    for keyword in ("anyOf", "oneOf"):
        parts = listed(schema, keyword)
        if parts and not any(_is_finite(part, finite) for part in parts):
            return False
    return _is_finite_of_a_type(schema, finite)


def _is_finite_of_a_type(schema: Schema, finite: Container[str]) -> bool:
    types = schema.get("type")
    of_type = {"object": _is_finite_object, "array": _is_finite_array}
    types = [types] if isinstance(types, str) else types
    if not isinstance(types, list) or not types:
        return True
    return any(kind not in of_type or of_type[kind](schema, finite) for kind in types if isinstance(kind, str))


def _is_finite_object(schema: Schema, finite: Container[str]) -> bool:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return True
    return all(_is_finite(properties.get(name), finite) for name in listed(schema, "required"))


def _is_finite_array(schema: Schema, finite: Container[str]) -> bool:
    least = schema.get("minItems", 0)
    if not isinstance(least, int):
        return True
    before = listed(schema, "prefixItems") or listed(schema, "items")
    if not all(_is_finite(part, finite) for part in before[:least]):
        return False
    return least <= len(before) or _is_finite(schema.get("items"), finite)
