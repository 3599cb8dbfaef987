"""GET /api/tags, /api/ps and /api/version, POST /api/show, and what is refused."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from models.source import BUNDLED_MODEL
from server.api.ollama.models import listed_names
from server.settings import Settings
from tests.conftest import running_server
from tests.server.api.ollama.ollama_client import refusal
from tests.server.http_client import SECONDS, Json, get, post

DETAILS = {
    **{"parent_model": "", "format": "gguf", "family": "llama", "families": ["llama"]},
    **{"parameter_size": "1.6M", "quantization_level": "Q8_0", "context_length": 2048, "embedding_length": 128},
}


@pytest.fixture(scope="module")
def named_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    flags = ("--alias", "tiny:1b,story", "--top-p", "0.5", "--reverse-prompt", "User:", "--api-key", "secret")
    with running_server(tmp_path_factory.mktemp("named"), *flags) as url:
        yield url


def show(url: str, **fields: object) -> Json:
    headers = {"Authorization": "Bearer secret"}
    response = requests.post(f"{url}/api/show", json={"model": "bundled", **fields}, headers=headers, timeout=SECONDS)
    assert response.status_code == 200, response.text
    answer: Json = response.json()
    return answer


def test_model_is_listed_with_the_default_tag(server: str) -> None:
    [model] = get(f"{server}/api/tags").json()["models"]
    assert (model["name"], model["model"]) == ("bundled:latest", "bundled:latest")
    assert re.fullmatch("[0-9a-f]{64}", model["digest"])
    assert 1_000_000 < model["size"] <= BUNDLED_MODEL.stat().st_size
    assert model["details"] == DETAILS
    assert model["capabilities"] == ["completion", "tools", "insert"]


def test_each_of_its_names_is_listed(named_server: str) -> None:
    listed = requests.get(
        f"{named_server}/api/tags", headers={"Authorization": "Bearer secret"}, timeout=SECONDS
    ).json()["models"]
    assert [model["name"] for model in listed] == ["story:latest", "tiny:1b"]


def test_model_without_a_name_has_that_of_its_file(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "story-1b.gguf", alias=str(tmp_path / "story-1b.gguf"))
    assert listed_names(settings) == ["story-1b:latest"]


def test_running_model_has_its_memory(server: str) -> None:
    [model] = get(f"{server}/api/ps").json()["models"]
    [listed] = get(f"{server}/api/tags").json()["models"]
    assert (model["name"], model["digest"]) == (listed["name"], listed["digest"])
    assert model["size"] > listed["size"]  # the KV cache as well
    assert (model["size_vram"], model["context_length"]) == (0, 2048)
    assert model["expires_at"].startswith("9999-")


@pytest.mark.parametrize("name", [{"model": "bundled"}, {"model": "bundled:latest"}, {"name": "bundled"}])
def test_model_is_described(server: str, name: Json) -> None:
    description = post(server, name, "/api/show").json()
    props = get(f"{server}/props").json()
    assert description["template"] == props["chat_template"]
    assert description["modelfile"].startswith(f"FROM {props['model_path']}\nTEMPLATE ")
    assert (description["license"], description["details"]) == ("MIT", DETAILS)
    info = description["model_info"]
    assert (info["general.architecture"], info["llama.context_length"], info["llama.block_count"]) == ("llama", 2048, 6)
    assert 1_500_000 < info["general.parameter_count"] < 1_650_000
    assert info["tokenizer.ggml.tokens"] == []
    assert not {"general.name", "tokenizer.chat_template"} & info.keys()


def test_vocabulary_is_shown_to_who_asks_for_it(server: str) -> None:
    info = show(server, verbose=True)["model_info"]
    assert len(info["tokenizer.ggml.tokens"]) == len(info["tokenizer.ggml.token_type"]) == 3072
    assert info["tokenizer.ggml.tokens"][3064] == "<|im_start|>"


def test_options_that_flags_set_are_its_parameters(named_server: str) -> None:
    description = show(named_server, model="story")
    lines = [line.split(maxsplit=1) for line in description["parameters"].splitlines()]
    assert lines == [["seed", "1"], ["stop", '"User:"'], ["top_p", "0.5"]]  # the seed is that of all servers of tests
    assert description["modelfile"].endswith("PARAMETER top_p                          0.5")


def test_other_models_are_not_there(server: str) -> None:
    message = refusal(server, "/api/show", 404, model="llama3.2")
    assert message == "model 'llama3.2' not found: this server has only bundled"


def test_description_needs_a_name(server: str) -> None:
    assert refusal(server, "/api/show") == "model: expected a string, got nothing"


def test_version_is_one_of_ollamas(server: str) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", get(f"{server}/api/version").json()["version"])


@pytest.mark.parametrize("path", ["/", "/api/tags", "/api/version"])
def test_clients_find_out_by_head_whether_the_server_lives(server: str, path: str) -> None:
    response = requests.head(server + path, timeout=SECONDS)
    assert (response.status_code, response.content) == (200, b"")


def test_root_needs_no_key(named_server: str) -> None:
    assert requests.head(f"{named_server}/", timeout=SECONDS).status_code == 200
    assert get(f"{named_server}/api/tags").status_code == 401
    assert get(f"{named_server}/api/tags").json().keys() == {"error"}


@pytest.mark.parametrize(
    ("method", "path", "what"),
    [
        ("POST", "/api/pull", "downloading"),
        ("POST", "/api/push", "uploading"),
        ("POST", "/api/create", "creating"),
        ("POST", "/api/copy", "copying"),
        ("DELETE", "/api/delete", "deleting"),
        ("POST", "/api/blobs/sha256:0123", "uploading"),
    ],
)
def test_changes_of_the_models_are_refused_by_name(server: str, method: str, path: str, what: str) -> None:
    response = requests.request(method, server + path, json={"model": "llama3.2"}, timeout=SECONDS)
    assert response.status_code == 501
    assert response.json() == {
        "error": f"{what} models is not supported: this server has the model that it was started with"
    }


def test_unknown_path_is_an_error_in_the_same_shape(server: str) -> None:
    assert refusal(server, "/api/nowhere", 404) == "there is no endpoint at /api/nowhere"
