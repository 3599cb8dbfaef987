"""/health, /ready, /livez and /version while the server loads, works, is stuck, and stops."""

import signal
import time
from pathlib import Path

import pytest
import requests

from tests.conftest import running_server
from tests.server.http_client import SECONDS, get, get_error, open_stream, post
from tests.server.program import PROGRAM, SLOW_PROGRAM, running

STUCK_PROGRAM = ("-c", """
import sys, time
from server.__main__ import main
from slots.llama import Context

decode = Context.decode
def slow_decode(self, batch):
    if batch.n_tokens > 100:
        time.sleep(3)
    return decode(self, batch)
Context.decode = slow_decode
main()
""")  # fmt: skip
"""The program with steps of many tokens that take three seconds."""


@pytest.mark.parametrize("path", ["/health", "/v1/health", "/ready", "/livez"])
def test_an_idle_server_is_well(path: str, server: str) -> None:
    response = get(server + path)
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_the_version_is_told(server: str) -> None:
    found = get(f"{server}/version").json()
    assert found["llama_cpp_python"] == "0.3.36"
    assert found["build_info"] == get(f"{server}/props").json()["build_info"]
    assert found["version"].count(".") == 2


def test_probes_need_no_key(tmp_path: Path) -> None:
    with running_server(tmp_path, "--api-key", "secret") as url:
        assert [get(url + path).status_code for path in ("/health", "/ready", "/livez")] == [200, 200, 200]
        assert get(f"{url}/version").status_code == 401


def test_a_server_that_loads_lives_but_is_not_ready(tmp_path: Path) -> None:
    with running(tmp_path, *SLOW_PROGRAM, "60") as program:
        url = program.url()
        assert [get(url + path).status_code for path in ("/livez", "/ready", "/health")] == [200, 503, 503]
        assert get(f"{url}/livez").json() == {"status": "loading"}


def test_a_step_that_takes_too_long_makes_it_ill_until_it_ends(tmp_path: Path) -> None:
    with running(tmp_path, *STUCK_PROGRAM, "-t", "1", "--watchdog-seconds", "0.5") as program:
        url = program.ready_url()
        assert post(url, {"prompt": "Hello", "n_predict": 4}).status_code == 200
        assert get(f"{url}/health").status_code == 200
        with pytest.raises(requests.Timeout):
            requests.post(f"{url}/completion", json={"prompt": "Hello " * 200}, timeout=1)
        error = get_error(get(f"{url}/health"))
        assert error["message"].startswith("The engine makes no progress: a step has taken ")
        assert get(f"{url}/livez").status_code == 503
        while get(f"{url}/health").status_code == 503:
            time.sleep(0.05)
        assert get(f"{url}/livez").status_code == 200


def test_a_server_that_stops_lives_but_is_not_ready_and_takes_no_requests(tmp_path: Path) -> None:
    with running(tmp_path, *PROGRAM, "-t", "1") as program:
        url = program.ready_url()
        body = {"prompt": "Once upon a time", "n_predict": 700, "ignore_eos": True, "stream": True}
        with requests.post(f"{url}/completion", json=body, stream=True, timeout=SECONDS) as response:
            lines = response.iter_lines()
            next(lines)
            program.signal(signal.SIGTERM)
            program.wait_for("Stopping after SIGTERM")
            while (health := get(f"{url}/health")).status_code == 200:
                time.sleep(0.01)
            assert get_error(health)["message"] == "The server is shutting down"
            assert get(f"{url}/ready").status_code == 503
            assert get(f"{url}/livez").json() == {"status": "draining"}
            assert post(url, {"prompt": "Hello"}).status_code == 503
            assert b'"tokens_predicted":700' in list(lines)[-2]
        assert program.exit_code() == 0


def test_it_is_well_while_it_works(server: str) -> None:
    with open_stream(server, n_predict=200):
        assert get(f"{server}/health").status_code == 200
