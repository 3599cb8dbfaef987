"""LLM Engine's models over HTTP; tests/clients/llm_engine/ has what its client makes of them."""

import time
from pathlib import Path

import pytest
import requests

from models.gguf.model_file import part_paths
from server.api.llm_engine.downloads import DownloadSigner
from server.http.errors import ApiError
from tests.server.http_client import SECONDS, get, post

MODELS = "/v1/llm/model-endpoints"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PATCH", f"{MODELS}/bundled", 405),
        ("GET", "/v1/llm/completions-sync", 405),
        ("GET", "/v1/llm/nowhere", 404),
        ("DELETE", f"{MODELS}/other", 404),
        ("PUT", f"{MODELS}/other", 404),
        ("PUT", f"{MODELS}/bundled", 501),
        ("POST", MODELS, 501),
        ("DELETE", f"{MODELS}/bundled", 400),
    ],
)
def test_every_error_is_a_detail_in_words(server: str, method: str, path: str, status: int) -> None:
    response = requests.request(method, server + path, timeout=SECONDS)
    assert response.status_code == status
    assert response.json().keys() == {"detail"}
    assert " " in response.json()["detail"]


def test_a_url_has_the_address_that_the_client_used(server: str) -> None:
    headers = {"Host": "llm.example", "X-Forwarded-Proto": "https"}
    body = {"model_name": "bundled"}
    answer = requests.post(f"{server}{MODELS}/download", json=body, headers=headers, timeout=SECONDS).json()
    assert answer["urls"]["bundled.gguf"].startswith("https://llm.example/v1/llm/downloads/bundled.gguf?signature=")


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"model_name": "other"}, 404, "model_name: expected bundled, since no other is loaded, got other"),
        ({}, 400, "model_name: expected a string, got nothing"),
        (
            {"model_name": "bundled", "download_format": "zip"},
            400,
            'download_format: expected hugging_face or gguf, got "zip"',
        ),
    ],
)
def test_a_wrong_download_is_refused(server: str, body: dict[str, str], status: int, detail: str) -> None:
    response = post(server, body, f"{MODELS}/download")
    assert (response.status_code, response.json()) == (status, {"detail": detail})


def test_a_signature_of_one_file_is_none_of_another(server: str) -> None:
    url = post(server, {"model_name": "bundled"}, f"{MODELS}/download").json()["urls"]["bundled.gguf"]
    for wrong in (url.replace("bundled.gguf", "other.gguf"), url[:-1], url.partition("?")[0]):
        assert get(wrong).status_code == 403
    assert get(url).status_code == 200


def test_a_signature_is_valid_for_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = DownloadSigner()
    signature = signer.sign("a.gguf")
    signed = time.time()
    monkeypatch.setattr(time, "time", lambda: signed + 3590)
    signer.check("a.gguf", signature)
    monkeypatch.setattr(time, "time", lambda: signed + 3610)
    with pytest.raises(ApiError, match="older than an hour") as caught:
        signer.check("a.gguf", signature)
    assert caught.value.status == 403


def test_a_split_model_has_all_its_files(tmp_path: Path) -> None:
    paths = [tmp_path / f"m-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
    for path in paths:
        path.touch()
    assert part_paths(paths[0]) == paths
    assert part_paths(tmp_path / "m.gguf") == [tmp_path / "m.gguf"]
