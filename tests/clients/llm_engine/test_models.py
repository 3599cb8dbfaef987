"""Model: what the client can learn about the model, and its files."""

import hashlib

import pytest
import requests

from models.source import BUNDLED_MODEL
from tests.clients.client_process import ClientError
from tests.clients.llm_engine.conftest import LlmEngine
from tests.server.http_client import SECONDS

DOWNLOAD = """
    print(Model.download("bundled").json())
"""


def download_url(client: LlmEngine) -> str:
    [answer] = client.objects(DOWNLOAD)
    url: str = answer["urls"]["bundled.gguf"]
    return url


def test_the_model_is_listed(client: LlmEngine) -> None:
    [answer] = client.objects("print(Model.list().json())")
    [model] = answer["model_endpoints"]
    assert model["name"] == "bundled"
    assert model["status"] == "READY"
    assert model["inference_framework_tag"].startswith("llama.cpp")


def test_a_model_is_described_as_in_the_list(client: LlmEngine) -> None:
    one, all_of_them = client.objects("""
        print(Model.get("bundled").json())
        print(Model.list().json())
    """)
    assert all_of_them["model_endpoints"] == [one]


@pytest.mark.parametrize("call", ["get('no/such')", "delete('no')", "update('no')", "download('no')"])
def test_an_unknown_model_is_not_found(client: LlmEngine, call: str) -> None:
    with pytest.raises(ClientError, match="expected bundled, since no other is loaded, got no") as caught:
        client.run(f"Model.{call}")
    assert caught.value.kind == "NotFoundError"


def test_a_base_model_cannot_be_deleted(client: LlmEngine) -> None:
    with pytest.raises(ClientError, match="bundled, which is a base model and cannot be deleted") as caught:
        client.run("Model.delete('bundled')")
    assert caught.value.kind == "BadRequestError"


@pytest.mark.parametrize(
    "call",
    ["create(name='new', model='llama-2-7b', inference_framework_image_tag='1')", "update('bundled', min_workers=2)"],
)
def test_models_are_neither_created_nor_changed(client: LlmEngine, call: str) -> None:
    with pytest.raises(ClientError, match="by a request: the server has") as caught:
        client.run(f"Model.{call}")
    assert caught.value.kind == "ServerError"


def test_a_downloaded_file_is_the_model(client: LlmEngine) -> None:
    content = requests.get(download_url(client), timeout=SECONDS).content
    assert hashlib.sha256(content).digest() == hashlib.sha256(BUNDLED_MODEL.read_bytes()).digest()


def test_a_download_can_be_resumed(client: LlmEngine) -> None:
    response = requests.get(download_url(client), headers={"Range": "bytes=1000-1999"}, timeout=SECONDS)
    assert response.status_code == 206
    assert response.content == BUNDLED_MODEL.read_bytes()[1000:2000]
