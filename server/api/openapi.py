"""GET /openapi.json: every endpoint as an OpenAPI 3.1 document, made from the models of the request bodies."""

import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from importlib.metadata import version
from typing import Any, Literal

from pydantic.json_schema import models_json_schema
from starlette.requests import Request

from server.http.dialect import Dialect, Endpoint
from server.http.json_response import JsonResponse

Json = dict[str, object]

_RANGE_KEYWORDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum"}
"""By pydantic's names, which it leaves in the schemas of fields that may be absent."""

_PARAMETER = re.compile(r"\{(\w+)(:\w+)?\}")


def openapi_endpoint(dialects: Iterable[Dialect]) -> Callable[[Request], Awaitable[JsonResponse]]:
    """Returns the endpoint for the document of `dialects`."""
    document: Json = {}

    async def get_openapi(_: Request) -> JsonResponse:
        if not document:
            document.update(openapi_document(dialects))
        return JsonResponse(document)

    return get_openapi


def openapi_document(dialects: Iterable[Dialect]) -> Json:
    """Returns the document. Operations have the name of their dialect as a tag, and its shape of errors."""
    dialects = list(dialects)
    bodies = {body for dialect in dialects for endpoint in dialect.endpoints for body in endpoint.bodies}
    mode: Literal["validation"] = "validation"
    models = [(body, mode) for body in sorted(bodies, key=lambda body: body.__name__)]
    _, definitions = models_json_schema(models, ref_template="#/components/schemas/{model}")
    errors = {_error_name(dialect): dialect.error_schema for dialect in dialects}
    paths: defaultdict[str, Json] = defaultdict(dict)
    for dialect in dialects:
        for endpoint in dialect.endpoints:
            paths[_PARAMETER.sub(r"{\1}", endpoint.path)][endpoint.method.lower()] = _operation(endpoint, dialect)
    return {
        "openapi": "3.1.0",
        "info": {"title": "llama-slots", "version": version("llama-slots")},
        "tags": [{"name": dialect.name} for dialect in dialects],
        "paths": paths,
        "components": {"schemas": {**_with_ranges(definitions["$defs"]), **errors}},
    }


def _with_ranges(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Returns a schema with all ranges in the keywords of JSON Schema."""
    if isinstance(schema, dict):
        return {_RANGE_KEYWORDS.get(name, name): _with_ranges(part) for name, part in schema.items()}
    return [_with_ranges(part) for part in schema] if isinstance(schema, list) else schema


def _operation(endpoint: Endpoint, dialect: Dialect) -> Json:
    operation: Json = {
        "summary": endpoint.summary,
        "tags": [dialect.name],
        "responses": {
            "200": {"description": "Success", "content": {kind: {} for kind in _media_types(endpoint)}},
            "default": {
                "description": "Error",
                "content": {"application/json": {"schema": _reference(_error_name(dialect))}},
            },
        },
    }
    in_path = [match[1] for match in _PARAMETER.finditer(endpoint.path)]
    if in_path or endpoint.query:
        operation["parameters"] = [
            *({"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in in_path),
            *({"name": name, "in": "query", "schema": {"type": "string"}} for name in endpoint.query),
        ]
    if endpoint.bodies:
        references = [_reference(body.__name__) for body in endpoint.bodies]
        schema = references[0] if len(references) == 1 else {"oneOf": references}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    if endpoint.form:
        content = {"multipart/form-data": {"schema": _form_schema(endpoint.form)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _form_schema(parts: tuple[str, ...]) -> Json:
    file, *others = parts
    properties: Json = {file: {"type": "string", "contentMediaType": "application/octet-stream"}}
    return {
        "type": "object",
        "properties": properties | {name: {"type": "string"} for name in others},
        "required": [file],
    }


def _media_types(endpoint: Endpoint) -> tuple[str, ...]:
    streams = any("stream" in body.model_fields for body in endpoint.bodies)
    return endpoint.media_types or ("application/json", *(["text/event-stream"] if streams else []))


def _error_name(dialect: Dialect) -> str:
    return f"{dialect.name.title().replace('.', '')}Error"


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
