"""The model as the SDK describes one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.conftest import running_server
from tests.server.api.aixplain.aixplain_client import get_error
from tests.server.http_client import SECONDS, Json, get


def model(url: str, path: str) -> Json:
    response = get(url + path)
    assert response.status_code == 200, response.text
    found: Json = response.json()
    return found


def default(found: Json, name: str) -> object:
    [value] = next(param for param in found["params"] if param["name"] == name)["defaultValues"]
    return value["value"]


@pytest.mark.parametrize(
    ("path", "model_id", "name"),
    [
        ("/sdk/models/some%2Fid", "some/id", "bundled"),
        ("/sdk/models/by-name/some%20name", "bundled", "some name"),
        ("/v2/models/some%2Fid", "some/id", "bundled"),
    ],
)
def test_any_name_is_the_model(server: str, path: str, model_id: str, name: str) -> None:
    found = model(server, path)
    assert (found["id"], found["name"]) == (model_id, name)
    assert found["function"]["id"] == "text-generation"
    assert found["supportsStreaming"] is True
    assert (default(found, "max_tokens"), default(found, "temperature"), default(found, "top_p")) == (128, 0.001, 1.0)


def test_defaults_are_those_of_the_flags(tmp_path: Path) -> None:
    with running_server(tmp_path, "--temp", "0.5", "--top-p", "0.9", "--n-predict", "40") as url:
        found = model(url, "/sdk/models/any")
        assert (default(found, "max_tokens"), default(found, "temperature"), default(found, "top_p")) == (40, 0.5, 0.9)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(tmp_path_factory.mktemp("guarded"), "--api-key", "secret") as url:
        yield url


@pytest.mark.parametrize(
    "headers", [{"Authorization": "Token secret"}, {"x-api-key": "secret"}, {"Authorization": "Bearer secret"}]
)
@pytest.mark.parametrize("path", ["/sdk/models/any", "/v2/models/any", "/sdk/functions"])
def test_key_comes_as_the_sdk_sends_it(guarded: str, path: str, headers: dict[str, str]) -> None:
    assert requests.get(guarded + path, headers=headers, timeout=SECONDS).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Token wrong"}, {"x-api-key": "wrong"}])
def test_wrong_key_is_refused_in_the_sdks_shape(guarded: str, headers: dict[str, str]) -> None:
    response = requests.get(f"{guarded}/sdk/models/any", headers=headers, timeout=SECONDS)
    assert response.status_code == 401
    assert "API key" in get_error(response)


@pytest.mark.parametrize("path", ["/sdk/nothing", "/sdk/models", "/api/v2/execute/any", "/api/v1/data/"])
def test_other_paths_are_refused_in_the_sdks_shape(server: str, path: str) -> None:
    response = get(server + path)
    assert response.status_code in (404, 405)
    assert get_error(response)


def test_what_older_sdks_import_is_there(server: str) -> None:
    assert [result["id"] for result in model(server, "/sdk/functions")["results"]] == ["text-generation"]
    for path, keys in (("languages", {"label", "value", "dialects"}), ("licenses", {"id", "name"})):
        [entry] = get(f"{server}/sdk/{path}").json()
        assert entry.keys() == keys
    assert get(f"{server}/sdk/suppliers").json()[0]["code"] == "aixplain"
