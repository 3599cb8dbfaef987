"""Which dialect formats an error."""

from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from server.api.dialects import DIALECTS
from server.http.dialect import Dialect, Endpoint
from server.http.error_format import ErrorFormats, format_error, use_error_format
from server.http.errors import ApiError, api_error


async def handler(_: Request) -> Response:
    return Response()


def dialect(name: str, *paths: str, prefixes: tuple[str, ...] = ()) -> Dialect:
    endpoints = tuple(Endpoint(path, handler, path) for path in paths)
    return Dialect(name, endpoints, lambda error: ApiError(400, f"{name}: {error}"), {}, prefixes)


FORMATS = ErrorFormats(
    (dialect("one", "/a", "/v1/b"), dialect("two", "/c", prefixes=("/v1/",)), dialect("three", prefixes=("/v1/llm/",)))
)


def message(path: str, **state: Any) -> str:
    app = SimpleNamespace(state=SimpleNamespace(error_formats=FORMATS))
    return str(format_error({"path": path, "app": app, "state": state}, KeyError("x")))


@pytest.mark.parametrize(
    ("path", "name"),
    [("/a", "one"), ("/v1/b", "one"), ("/c", "two"), ("/v1/unknown", "two"), ("/v1/llm/unknown", "three")],
)
def test_an_endpoint_decides_before_the_longest_prefix(path: str, name: str) -> None:
    assert message(path).startswith(f"{name}: ")


def test_other_paths_have_llama_cpps_shape() -> None:
    assert FORMATS.find("/nowhere") is api_error


def test_a_request_may_choose() -> None:
    request = Request({"type": "http", "path": "/a", "state": {}})
    use_error_format(request, lambda error: ApiError(400, f"chosen: {error}"))
    assert message("/a", **request.scope["state"]).startswith("chosen: ")


def test_outside_of_an_application_the_shape_is_llama_cpps() -> None:
    assert format_error({"path": "/v1/b"}, ApiError(404, "nothing")).body() == {
        "error": {"code": 404, "message": "nothing", "type": "not_found_error"}
    }


def test_no_two_endpoints_have_the_same_path_and_method() -> None:
    reached = [(endpoint.path, endpoint.method) for dialect in DIALECTS for endpoint in dialect.endpoints]
    assert len(reached) == len(set(reached))


@pytest.mark.parametrize(
    ("path", "is_openai"),
    [
        *(("/v1/completions", True), ("/chat/completions", True), ("/embeddings", True), ("/models/x", True)),
        *(("/v1/health", True), ("/v1/rerank", True), ("/v1/nowhere", True)),
        *(("/completion", False), ("/completions", False), ("/embedding", False), ("/rerank", False), ("/x", False)),
    ],
)
def test_paths_have_the_errors_of_their_dialect(path: str, is_openai: bool) -> None:
    error = ErrorFormats(DIALECTS).find(path)(ApiError(400, "bad")).body()["error"]
    assert isinstance(error, dict)
    assert ("param" in error) == is_openai
