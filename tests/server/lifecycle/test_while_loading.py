"""A server with API keys while its model is loading."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import uvicorn

from server.app import create_app
from server.settings import Settings
from server.state import ServerState
from tests.server.http_client import SECONDS, get_error

KEYS = ("first-key", "zweiter Schlüssel")


@pytest.fixture(scope="module")
def loading_server() -> Iterator[str]:
    app = create_app(ServerState(Settings(Path("model.gguf"), "loading", api_keys=KEYS)))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def ask(method: str, url: str, headers: dict[str, str | bytes] | None = None) -> requests.Response:
    return requests.request(method, url, headers=headers, timeout=SECONDS)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/completion"),
        ("POST", "/completions"),
        ("POST", "/tokenize"),
        ("POST", "/detokenize"),
        ("GET", "/props"),
        ("GET", "/slots"),
        ("POST", "/slots/0?action=erase"),
        ("POST", "/completions"),
        ("POST", "/infill"),
        ("POST", "/apply-template"),
        ("POST", "/embedding"),
        ("POST", "/rerank"),
    ],
)
def test_every_endpoint_says_that_the_model_loads(loading_server: str, method: str, path: str) -> None:
    error = get_error(ask(method, loading_server + path, {"Authorization": "Bearer first-key"}))
    assert error == {"code": 503, "message": "Loading model", "type": "unavailable_error"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/completions"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/chat/completions"),
        ("POST", "/v1/embeddings"),
        ("POST", "/embeddings"),
        ("GET", "/models"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/loading"),
    ],
)
def test_openais_endpoints_say_so_in_its_words(loading_server: str, method: str, path: str) -> None:
    response = ask(method, loading_server + path, {"Authorization": "Bearer first-key"})
    assert response.status_code == 503
    assert response.json()["error"] == {
        **{"message": "Loading model", "type": "unavailable_error"},
        **{"param": None, "code": None},
    }


def test_chat_service_says_that_it_is_not_started(loading_server: str) -> None:
    answer = ask("GET", f"{loading_server}/chat", {"Authorization": "Bearer first-key"}).json()
    assert answer["status"] == "not started"
    assert "loading" in answer["message"]


@pytest.mark.parametrize("path", ["/health", "/v1/health"])
def test_health_says_so_without_a_key(loading_server: str, path: str) -> None:
    response = ask("GET", loading_server + path)
    assert response.status_code == 503
    assert response.json()["error"]["message"] == "Loading model"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer another-key"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic first-key"},
        {"X-Api-Key": "another-key"},
    ],
)
def test_request_without_a_key_is_refused(loading_server: str, headers: dict[str, str | bytes]) -> None:
    response = ask("GET", f"{loading_server}/props", headers)
    error = get_error(response)
    assert (error["code"], error["type"]) == (401, "authentication_error")
    assert error["message"].startswith("Authorization: expected ")
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_path_is_not_told_without_a_key(loading_server: str) -> None:
    assert get_error(ask("GET", f"{loading_server}/nowhere"))["code"] == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer first-key"},
        {"Authorization": "bearer first-key"},
        {"Authorization": "Bearer zweiter Schlüssel".encode()},
        {"X-Api-Key": "first-key"},
    ],
)
def test_each_key_opens(loading_server: str, headers: dict[str, str | bytes]) -> None:
    assert get_error(ask("GET", f"{loading_server}/props", headers))["code"] == 503


def test_preflight_needs_no_key(loading_server: str) -> None:
    headers: dict[str, str | bytes] = {"Origin": "https://chat.example", "Access-Control-Request-Method": "POST"}
    assert ask("OPTIONS", f"{loading_server}/completion", headers).status_code == 200


def test_browser_may_read_that_the_key_is_missing(loading_server: str) -> None:
    response = ask("GET", f"{loading_server}/props", {"Origin": "https://chat.example"})
    assert response.status_code == 401
    assert response.headers["Access-Control-Allow-Origin"] == "https://chat.example"
