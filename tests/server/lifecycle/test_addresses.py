"""Where a server listens: several addresses, a Unix socket, below a path, with TLS, for pages of chosen origins."""

import contextlib
import json
import socket
import ssl
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.server.http_client import DETERMINISTIC, SECONDS
from tests.server.program import PROGRAM, Program, running

FLAGS = (
    *("--api-prefix", "/llm", "--alias", "one,two", "--tags", "small,toy", "--timeout", "1", "--api-key", "secret"),
    *("--cors-origins", "localhost,https://chat.example", "--cors-headers", "Authorization", "--no-cors-credentials"),
    *("--reverse-prompt", "girl", "--special", "--jinja", "--threads", "1"),
)
KEY = {"Authorization": "Bearer secret"}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("s")
    hosts = f"127.0.0.1,{folder}/a.sock"
    with running(folder, *PROGRAM, *FLAGS, "--host", hosts, "--log-file", f"{folder}/copy.log") as program:
        program.wait_for("Ready on ")
        yield program


@pytest.fixture(scope="module")
def url(program: Program) -> str:
    return program.url().rstrip(",")


def ask_socket(path: str, method: str, target: str, body: object = None) -> tuple[int, bytes]:
    connection = HTTPConnection("localhost", timeout=SECONDS)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(path)
    connection.request(method, target, json.dumps(body) if body else None, KEY)
    response = connection.getresponse()
    return response.status, response.read()


def test_a_unix_socket_answers_beside_an_address(program: Program, url: str) -> None:
    path = program.wait_for("Listening on ").split("unix:")[1].split()[0]
    status, body = ask_socket(path, "POST", "/llm/completion", DETERMINISTIC)
    over_tcp = requests.post(f"{url}/llm/completion", json=DETERMINISTIC, headers=KEY, timeout=SECONDS)
    assert (status, over_tcp.status_code) == (200, 200)
    assert json.loads(body)["content"] == over_tcp.json()["content"]


def test_endpoints_are_below_the_prefix_alone(url: str) -> None:
    assert requests.get(f"{url}/llm/health", timeout=SECONDS).status_code == 200
    assert requests.get(f"{url}/llm/v1/models", timeout=SECONDS).status_code == 401
    outside = requests.get(f"{url}/health", timeout=SECONDS)
    assert outside.status_code == 404
    assert outside.json()["error"]["message"] == "there is no endpoint at /health, only below /llm"


def test_the_prefix_is_in_urls_of_the_server(url: str) -> None:
    status = requests.get(f"{url}/llm/chat", headers=KEY, timeout=SECONDS).json()
    assert status["llm_serving_url"] == f"{url}/llm"
    download = f"{url}/llm/v1/llm/model-endpoints/download"
    answer = requests.post(download, json={"model_name": "one"}, headers=KEY, timeout=SECONDS)
    assert all(link.startswith(f"{url}/llm/") for link in answer.json()["urls"].values())


def test_the_model_has_all_its_names_and_tags(url: str) -> None:
    [model] = requests.get(f"{url}/llm/v1/models", headers=KEY, timeout=SECONDS).json()["data"]
    assert (model["id"], model["aliases"], model["tags"]) == ("one", ["one", "two"], ["small", "toy"])
    assert requests.get(f"{url}/llm/v1/models/two", headers=KEY, timeout=SECONDS).json()["id"] == "one"


def test_a_text_ends_where_the_flag_says_unless_the_request_says_otherwise(url: str) -> None:
    def stopping_word(**fields: object) -> object:
        body = DETERMINISTIC | {"n_predict": 40, "prompt": "The little"} | fields
        return requests.post(f"{url}/llm/completion", json=body, headers=KEY, timeout=SECONDS).json()["stopping_word"]

    assert stopping_word() == "girl"
    assert stopping_word(stop=["no such text"]) != "girl"


def test_special_tokens_are_shown_if_the_flag_says_so(url: str, server: str) -> None:
    body = DETERMINISTIC | {"n_predict": 1, "logit_bias": [[3066, 1000]]}
    shown = requests.post(f"{url}/llm/completion", json=body, headers=KEY, timeout=SECONDS).json()
    hidden = requests.post(f"{server}/completion", json=body, timeout=SECONDS).json()
    assert (shown["content"], hidden["content"]) == ("<|fim_prefix|>", "")


def preflight(url: str, origin: str) -> requests.Response:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    return requests.options(f"{url}/llm/completion", headers=headers, timeout=SECONDS)


@pytest.mark.parametrize(
    "origin", ["http://localhost", "http://127.0.0.1:3000", "http://[::1]:3000", "https://chat.example"]
)
def test_a_preflight_of_a_chosen_origin_is_allowed(url: str, origin: str) -> None:
    response = preflight(url, origin)
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == origin
    assert response.headers["Access-Control-Allow-Headers"] == "Authorization"
    assert response.headers["Access-Control-Allow-Credentials"] == "false"


@pytest.mark.parametrize("origin", ["http://evil.com", "http://notlocalhost", "http://localhost.evil.com", "null", "["])
def test_another_origin_is_not_allowed(url: str, origin: str) -> None:
    response = preflight(url, origin)
    assert response.status_code == 200
    assert "Access-Control-Allow-Origin" not in response.headers
    answer = requests.get(f"{url}/llm/health", headers={"Origin": origin}, timeout=SECONDS)
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_client_that_stops_amid_its_request_is_cut_off(url: str) -> None:
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=SECONDS) as connection:
        connection.sendall(
            b"POST /llm/completion HTTP/1.1\r\nHost: x\r\nX-Api-Key: secret\r\nContent-Length: 100\r\n\r\n{"
        )
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(100) == b""


def test_flags_without_effect_are_in_the_log_and_the_log_in_its_file(program: Program) -> None:
    program.wait_for("--jinja has no effect: chat templates are always rendered as Jinja templates")
    copy = Path(program.wait_for("Listening on ").split("unix:")[1].split()[0]).with_name("copy.log")
    assert "--jinja has no effect" in copy.read_text()
    assert "Listening on http://127.0.0.1:" in copy.read_text()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Returns a key and a certificate for localhost that it signs itself."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    files = ("-keyout", str(key), "-out", str(certificate), "-addext", names)
    try:
        subprocess.run(["openssl", *options.split(), *files], check=True, capture_output=True, timeout=SECONDS)
    except FileNotFoundError:
        pytest.skip("openssl is not installed, which makes the certificate")
    return key, certificate


def test_https_is_served_with_a_key_and_its_certificate(tmp_path: Path) -> None:
    key, certificate = make_certificate(tmp_path)
    flags = ("--ssl-key-file", str(key), "--ssl-cert-file", str(certificate), "--threads", "1")
    with running(tmp_path, *PROGRAM, *flags) as program:
        url = program.ready_url()
        assert url.startswith("https://127.0.0.1:")
        assert requests.get(f"{url}/health", verify=str(certificate), timeout=SECONDS).json() == {"status": "ok"}
        with pytest.raises((requests.exceptions.SSLError, ssl.SSLError)):
            requests.get(f"{url}/health", timeout=SECONDS)
