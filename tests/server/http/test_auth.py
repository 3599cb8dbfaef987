"""API keys: where a request may carry one, and which endpoints need none."""

from base64 import b64encode
from collections.abc import Iterator

import pytest
import requests
from starlette.datastructures import Headers

from server.http.auth import get_api_key
from tests.conftest import running_server
from tests.server.http_client import SECONDS


def basic(credentials: str) -> str:
    return f"Basic {b64encode(credentials.encode()).decode()}"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(tmp_path_factory.mktemp("guarded"), "--api-key", "right:key") as url:
        yield url


def status(url: str, path: str, **headers: str) -> int:
    return requests.get(url + path, headers=headers, timeout=SECONDS).status_code


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Authorization", "Bearer right:key"),
        ("Authorization", "bearer  right:key "),
        ("Authorization", "Token right:key"),
        ("X-Api-Key", "right:key"),
        ("Authorization", basic("right:key:")),
    ],
)
def test_each_way_to_carry_a_key(guarded: str, header: str, value: str) -> None:
    assert status(guarded, "/props", **{header: value}) == 200


@pytest.mark.parametrize(
    "authorization", ["Bearer wrong", "Token wrong", basic("wrong:"), basic("right:key"), "Basic !", "right:key"]
)
def test_another_key_is_refused(guarded: str, authorization: str) -> None:
    assert status(guarded, "/props", Authorization=authorization) == 401


def test_a_key_of_its_own_header_goes_before_a_user_name() -> None:
    assert get_api_key(Headers({"X-Api-Key": "one", "Authorization": basic("other:")})) == b"one"


@pytest.mark.parametrize("path", ["/health", "/v1/health"])
def test_health_checks_need_no_key(guarded: str, path: str) -> None:
    assert status(guarded, path) == 200


@pytest.mark.parametrize("path", ["/props", "/v1/models", "/nowhere", "/health/", "/healthy"])
def test_everything_else_needs_one(guarded: str, path: str) -> None:
    assert status(guarded, path) == 401
