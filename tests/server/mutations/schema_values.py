"""Values that match a JSON schema, for members of bodies that nobody has written an example of."""

from random import Random
from typing import Any

from tests.server.mutations.operations import PREFIX

MAX_DEPTH = 4
WORDS = ("Once upon a time", "a", "bundled", "user", "json_object", "[A-Z]+", 'root ::= "a"', "0", "")


def value_of(schema: Any, schemas: dict[str, Any], rng: Random, depth: int = 0) -> Any:
    """Returns a value of `schema`, whose references lead to `schemas`."""
    if "$ref" in schema:
        return value_of(schemas[schema["$ref"].removeprefix(PREFIX)], schemas, rng, depth)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return rng.choice(schema["enum"])
    if "default" in schema and rng.random() < 0.2:
        return schema["default"]
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            return value_of(rng.choice(schema[keyword]), schemas, rng, depth)
    kind = schema.get("type", "string")
    if isinstance(kind, list):
        kind = rng.choice(kind)
    match kind:
        case "object":
            return _object_of(schema, schemas, rng, depth)
        case "array":
            return _array_of(schema, schemas, rng, depth)
        case "integer" | "number":
            return _number_of(schema, rng, is_integer=kind == "integer")
        case "boolean":
            return rng.random() < 0.5
        case "null":
            return None
    return rng.choice(WORDS)


def _object_of(schema: Any, schemas: dict[str, Any], rng: Random, depth: int) -> Any:
    if depth > MAX_DEPTH:
        return {}
    required = schema.get("required", [])
    return {
        name: value_of(member, schemas, rng, depth + 1)
        for name, member in schema.get("properties", {}).items()
        if name in required or rng.random() < 2 / (len(schema["properties"]) + 1)
    }


def _array_of(schema: Any, schemas: dict[str, Any], rng: Random, depth: int) -> Any:
    if "prefixItems" in schema:
        return [value_of(item, schemas, rng, depth + 1) for item in schema["prefixItems"]]
    length = max(schema.get("minItems", 0), rng.randrange(3) if depth <= MAX_DEPTH else 0)
    return [value_of(schema.get("items", {}), schemas, rng, depth + 1) for _ in range(length)]


def _number_of(schema: Any, rng: Random, *, is_integer: bool) -> float:
    least = schema.get("minimum", schema.get("exclusiveMinimum", -2))
    most = min(schema.get("maximum", 300), 300)
    if is_integer:
        return rng.choice((rng.randint(int(max(least, -2)), int(most)), int(max(least, -2)), 0 if least <= 0 else 1))
    return rng.uniform(max(least, -2), min(most, 3))
