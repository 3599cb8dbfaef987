"""The operations of a server, read from its own GET /openapi.json, so that a new endpoint is found by itself."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.server.http_client import get

METHODS = ("get", "post", "put", "delete")
PREFIX = "#/components/schemas/"


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    """With the names of its parameters in braces."""
    query: tuple[str, ...]
    bodies: tuple[str, ...]
    """Names of the schemas of its body: several for a path that dialects share, none if it says nothing of a body."""
    form: tuple[str, ...]
    """The parts of a form that it takes instead."""
    error_schemas: tuple[Any, ...]
    """An error matches one of them."""

    @property
    def takes_body(self) -> bool:
        return self.method != "GET"

    @property
    def path_parameters(self) -> list[str]:
        return re.findall(r"\{(\w+)\}", self.path)


@dataclass(frozen=True, slots=True)
class Api:
    operations: list[Operation]
    schemas: dict[str, Any]
    """By name."""


def read_api(url: str) -> Api:
    document = get(f"{url}/openapi.json").json()
    schemas = document["components"]["schemas"]
    operations = [
        _read_operation(method, path, item[method], schemas)
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    ]
    return Api(operations, schemas)


def _read_operation(method: str, path: str, operation: Any, schemas: dict[str, Any]) -> Operation:
    content = operation.get("requestBody", {}).get("content", {})
    bodies = tuple(_names(content.get("application/json", {}).get("schema", {})))
    form = content.get("multipart/form-data", {}).get("schema", {}).get("properties", {})
    error = operation["responses"]["default"]["content"]["application/json"]["schema"]
    names = list(_names(error))
    if len(bodies) > 1:  # the body decides whose path it is
        names = [name for name in schemas if name.endswith("Error")]
    return Operation(
        method.upper(),
        path,
        tuple(each["name"] for each in operation.get("parameters", []) if each["in"] == "query"),
        bodies,
        tuple(form),
        tuple(schemas[name] for name in names),
    )


def _names(schema: Any) -> Iterator[str]:
    """Yields the names of the schemas that this one refers to."""
    for each in schema.get("oneOf", [schema]):
        if "$ref" in each:
            yield each["$ref"].removeprefix(PREFIX)
