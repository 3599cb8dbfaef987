import pytest
import requests

from tests.server.http_client import SECONDS, STORY

ORIGIN = "https://chat.example"


def test_preflight_allows_any_origin_method_and_header(server: str) -> None:
    headers = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type, authorization, x-made-up",
    }
    response = requests.options(f"{server}/completion", headers=headers, timeout=SECONDS)
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    assert response.headers["Access-Control-Allow-Methods"] == "GET, POST, DELETE, OPTIONS"
    assert response.headers["Access-Control-Allow-Headers"] == "*"
    # Clients that take the headers for a plain dictionary find them as well.
    assert {"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"} <= dict(response.headers).keys()


def test_page_on_the_internet_may_reach_a_server_at_home(server: str) -> None:
    headers = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Private-Network": "true",
    }
    response = requests.options(f"{server}/completion", headers=headers, timeout=SECONDS)
    assert response.headers["Access-Control-Allow-Private-Network"] == "true"


@pytest.mark.parametrize("body", [{"prompt": STORY, "n_predict": 1}, {"prompt": STORY, "n_predict": 1, "stream": True}])
def test_answer_may_be_read_with_credentials(server: str, body: dict[str, object]) -> None:
    response = requests.post(f"{server}/completion", json=body, headers={"Origin": ORIGIN}, timeout=SECONDS)
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in response.headers["Vary"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("POST", "/completion", 400)])
def test_errors_may_be_read_as_well(server: str, method: str, path: str, status: int) -> None:
    response = requests.request(method, server + path, headers={"Origin": ORIGIN}, timeout=SECONDS)
    assert response.status_code == status
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN


def test_nothing_is_allowed_to_whoever_did_not_ask(server: str) -> None:
    assert "Access-Control-Allow-Origin" not in requests.get(f"{server}/health", timeout=SECONDS).headers
