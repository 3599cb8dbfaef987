"""/health, /ready, /livez and /version while the server loads, works, is stuck, and stops."""

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import running_server
from tests.server.http_client import begun_stream, get, get_error, open_stream, post, wait_until
from tests.server.program import SLOW_PROGRAM, running

HELD_PROGRAM = ("-c", """
import sys, time
from pathlib import Path
from server.__main__ import main
from slots.llama import Context

decode, hold = Context.decode, Path(sys.argv.pop(1))
def held_decode(self, batch):
    while hold.exists():
        time.sleep(0.01)
    return decode(self, batch)
Context.decode = held_decode
main()
""")  # fmt: skip
"""The program with steps that begin only while there is no file at a path, which precedes the flags."""


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
    with running(tmp_path, *SLOW_PROGRAM, "600") as program:
        url = program.url()
        assert [get(url + path).status_code for path in ("/livez", "/ready", "/health")] == [200, 503, 503]
        assert get(f"{url}/livez").json() == {"status": "loading"}


def test_a_step_that_takes_too_long_makes_it_ill_until_it_ends(tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    with (
        ThreadPoolExecutor(1) as client,
        running(tmp_path, *HELD_PROGRAM, str(hold), "-t", "1", "--watchdog-seconds", "0.5") as program,
    ):
        url = program.ready_url()
        assert post(url, {"prompt": "Hello", "n_predict": 4}).status_code == 200
        wait_until(lambda: get(f"{url}/health").status_code == 200, "the end of a step that a busy machine made slow")
        hold.touch()
        answer = client.submit(post, url, {"prompt": "Hello", "n_predict": 4})
        wait_until(lambda: get(f"{url}/health").status_code == 503, "the watchdog")
        error = get_error(get(f"{url}/health"))
        assert error["message"].startswith("The engine makes no progress: a step has taken ")
        assert get(f"{url}/livez").status_code == 503
        hold.unlink()
        assert answer.result().status_code == 200
        wait_until(lambda: get(f"{url}/health").status_code == 200, "the end of the step")
        assert get(f"{url}/livez").status_code == 200


def test_a_server_that_stops_lives_but_is_not_ready_and_takes_no_requests(tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    with running(tmp_path, *HELD_PROGRAM, str(hold), "-t", "1") as program:
        url = program.ready_url()
        with begun_stream(url, n_predict=100, ignore_eos=True) as stream:
            hold.touch()
            program.signal(signal.SIGTERM)
            program.wait_for("Stopping after SIGTERM")
            wait_until(lambda: get(f"{url}/health").status_code != 200, "the shutdown")
            assert get_error(get(f"{url}/health"))["message"] == "The server is shutting down"
            assert get(f"{url}/ready").status_code == 503
            assert get(f"{url}/livez").json() == {"status": "draining"}
            assert post(url, {"prompt": "Hello"}).status_code == 503
            hold.unlink()
            assert list(stream)[-1]["tokens_predicted"] == 100
        assert program.exit_code() == 0


def test_it_is_well_while_it_works(server: str) -> None:
    with open_stream(server, n_predict=200):
        assert get(f"{server}/health").status_code == 200
