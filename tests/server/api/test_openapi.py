"""GET /openapi.json: a valid document that has every endpoint."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from server.api.dialects import DIALECTS
from server.api.openapi import openapi_document
from server.http.dialect import Endpoint
from tests.conftest import running_server
from tests.server.http_client import STORY, get

DOCUMENT: Any = openapi_document(DIALECTS)
ENDPOINTS = [endpoint for dialect in DIALECTS for endpoint in dialect.endpoints]
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]


def references(part: object) -> Iterator[str]:
    """Yields every reference in a part of the document."""
    if isinstance(part, dict):
        yield from (value for name, value in part.items() if name == "$ref")
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from references(each)


def operation_of(endpoint: Endpoint) -> Any:
    return DOCUMENT["paths"][endpoint.path.replace(":path", "")][endpoint.method.lower()]


def validator(model: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{model}", **DOCUMENT})


def test_the_document_says_what_it_is() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    assert DOCUMENT["info"].keys() == {"title", "version"}
    assert [tag["name"] for tag in DOCUMENT["tags"]] == [dialect.name for dialect in DIALECTS]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.path)
def test_every_endpoint_is_an_operation(endpoint: Endpoint) -> None:
    operation = operation_of(endpoint)
    assert operation["summary"]
    assert operation["responses"].keys() == {"200", "default"}
    named = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"}
    assert all(f"{{{name}" in endpoint.path for name in named)
    assert len(named) == endpoint.path.count("{")


@pytest.mark.parametrize("endpoint", [each for each in ENDPOINTS if each.body], ids=lambda endpoint: endpoint.path)
def test_every_endpoint_with_a_body_has_its_schema(endpoint: Endpoint) -> None:
    schema = operation_of(endpoint)["requestBody"]["content"]["application/json"]["schema"]
    assert list(references(schema)) == [f"#/components/schemas/{body.__name__}" for body in endpoint.bodies]
    for body in endpoint.bodies:
        for name, schema in SCHEMAS[body.__name__]["properties"].items():
            assert schema["description"], name


def test_all_references_lead_to_a_schema() -> None:
    assert {reference.rsplit("/", 1)[1] for reference in references(DOCUMENT)} <= SCHEMAS.keys()


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_valid(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize(
    ("model", "body"),
    [
        ("CompletionRequestBody", {"prompt": STORY, "n_predict": 5, "top_p": 0.9, "stop": ["\n"], "frobnicate": 1}),
        ("CompletionRequestBody", {"prompt": [STORY, [1, 2]], "logit_bias": [[1, False]], "samplers": "kt"}),
        ("CompletionRequestBody", {"prompt": STORY, "json_schema": {"type": "object"}, "speculative.n_max": 0}),
        ("ChatCompletionRequestBody", {"messages": [{"role": "user", "content": "Hi"}], "logprobs": True}),
        ("MessagesRequestBody", {"messages": [{"role": "user", "content": [{}]}], "max_tokens": 5, "system": "a"}),
        ("MessageFields", {"messages": [{"role": "user", "content": "Hi"}], "tool_choice": {"type": "any"}}),
        (
            "ResponsesRequestBody",
            {"input": STORY, "tools": [{"type": "web_search"}], "include": [], "background": False},
        ),
        ("ResponseInputFields", {"input": [{"role": "user", "content": "Hi"}], "text": {"format": {"type": "text"}}}),
        ("OpenAiCompletionRequestBody", {"prompt": STORY, "logprobs": 3, "stream_options": {"include_usage": True}}),
        ("OpenAiEmbeddingRequestBody", {"input": [STORY], "encoding_format": "base64"}),
        ("RerankRequestBody", {"query": "a", "documents": ["b", {"text": "c"}], "top_n": 1}),
        ("ExecutionRequestBody", {"data": {"a": 1}, "history": [], "response_format": "text", "max_tokens": 5}),
    ],
)
def test_bodies_that_the_server_takes_fit_to_their_schemas(model: str, body: object) -> None:
    validator(model).validate(body)


@pytest.mark.parametrize(
    ("model", "body"),
    [
        ("CompletionRequestBody", {}),
        ("CompletionRequestBody", {"prompt": STORY, "top_p": 1.5}),
        ("CompletionRequestBody", {"prompt": STORY, "repeat_penalty": 0}),
        ("CompletionRequestBody", {"prompt": STORY, "n_predict": "5"}),
        ("ChatCompletionRequestBody", {"messages": []}),
        ("ChatCompletionRequestBody", {"messages": [{"role": "user", "content": "Hi"}], "top_logprobs": 129}),
        ("MessagesRequestBody", {"messages": [{"role": "user", "content": "Hi"}]}),
        ("MessageFields", {"messages": [{"role": "robot", "content": "Hi"}]}),
        ("ResponsesRequestBody", {"instructions": "a"}),
        ("ResponsesRequestBody", {"input": STORY, "include": ["everything"]}),
        ("OpenAiCompletionRequestBody", {"prompt": STORY, "best_of": 0}),
        ("OpenAiEmbeddingRequestBody", {"input": STORY, "encoding_format": "binary"}),
        ("RerankRequestBody", {"query": "a", "documents": ["b"], "top_n": 0}),
        ("ExecutionRequestBody", {"data": STORY, "history": "a"}),
        ("ExecutionRequestBody", {"data": STORY, "max_tokens": -2}),
    ],
)
def test_bodies_that_the_server_refuses_do_not(model: str, body: object) -> None:
    assert not validator(model).is_valid(body)


def test_the_server_returns_it(server: str) -> None:
    assert get(f"{server}/openapi.json").json() == DOCUMENT


def test_it_needs_a_key_as_props_does(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_server(tmp_path_factory.mktemp("guarded"), "--api-key", "secret") as url:
        assert get(f"{url}/openapi.json").status_code == get(f"{url}/props").status_code == 401
