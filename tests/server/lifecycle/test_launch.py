"""The program itself, as a user starts and stops it."""

import signal
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from models.source import BUNDLED_MODEL
from server.lifecycle.listener import format_url, open_port
from tests.server.http_client import open_stream
from tests.server.program import PROGRAM, SECONDS, SLOW_PROGRAM, run_failing, running

PATIENT = ("--shutdown-timeout", str(10 * SECONDS))
"""Flags of a server that waits longer for clients than these tests do for its end."""


def test_the_port_is_open_while_the_model_loads_and_serves_when_it_has(tmp_path: Path) -> None:
    with running(tmp_path, *SLOW_PROGRAM, "1") as program:
        url = program.url()
        assert requests.get(f"{url}/health", timeout=SECONDS).status_code == 503
        assert program.ready_url() == url
        assert requests.get(f"{url}/health", timeout=SECONDS).status_code == 200


def test_the_log_shows_the_header_and_then_what_is_served(tmp_path: Path) -> None:
    with running(tmp_path, *PROGRAM, "-np", "2", "-c", "512", "-no-kvu", "-a", "tiny") as program:
        program.wait_for(r"Ready on http://127\.0\.0\.1:\d+: tiny in 2 slots of 256 tokens")
        lines = program.output.splitlines()
    assert [line.split("  ")[0] for line in lines[:4]] == ["model", "file", "architecture", "context"]
    assert len(lines) < 20


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_exit_code_0(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path, *PROGRAM) as program:
        program.ready_url()
        program.signal(number)
        assert program.exit_code() == 0
        assert f"Stopping after {number.name}" in program.output
        assert "Traceback" not in program.output


def test_an_idle_connection_does_not_hold_the_end_back(tmp_path: Path) -> None:
    with running(tmp_path, *PROGRAM, *PATIENT) as program, requests.Session() as session:
        session.get(f"{program.ready_url()}/health", timeout=SECONDS)
        program.signal(signal.SIGTERM)
        assert program.exit_code() == 0


def test_a_running_request_may_finish(tmp_path: Path) -> None:
    with running(tmp_path, *PROGRAM) as program:
        url = program.ready_url()
        body = {"prompt": "Once upon a time", "n_predict": 64, "ignore_eos": True, "stream": True}
        with requests.post(f"{url}/completion", json=body, stream=True, timeout=SECONDS) as response:
            chunks = response.iter_content(None)
            next(chunks)
            program.signal(signal.SIGTERM)
            rest = b"".join(chunks)
        assert b'"tokens_predicted":64' in rest
        assert program.exit_code() == 0


def test_a_request_that_runs_too_long_is_ended_and_told_so(tmp_path: Path) -> None:
    with running(tmp_path, *PROGRAM, "--shutdown-timeout", "0", "--context-shift") as program:
        url = program.ready_url()
        body = {"prompt": "Once upon a time", "n_predict": -1, "ignore_eos": True, "stream": True}
        with requests.post(f"{url}/completion", json=body, stream=True, timeout=SECONDS) as response:
            chunks = response.iter_content(None)
            next(chunks)
            program.signal(signal.SIGTERM)
            rest = b"".join(chunks)
        assert b"shutting down" in rest
        assert program.exit_code() == 0
        assert "Traceback" not in program.output


def test_a_client_that_stalls_does_not_hold_the_end_back_for_long(tmp_path: Path) -> None:
    with running(tmp_path, *PROGRAM, "--shutdown-timeout", "0") as program:
        address = urlsplit(program.ready_url())
        with socket.create_connection((address.hostname, address.port)) as client:
            client.sendall(b"POST /completion HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\n{")
            time.sleep(0.2)
            program.signal(signal.SIGTERM)
            assert program.exit_code() == 0
        assert "Traceback" not in program.output


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with running(tmp_path, *PROGRAM, "--context-shift", *PATIENT) as program, open_stream(program.ready_url()):
        program.signal(signal.SIGTERM)
        program.wait_for("Stopping after SIGTERM")
        program.signal(signal.SIGINT)
        assert program.exit_code() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_while_the_model_loads(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path, *SLOW_PROGRAM, str(10 * SECONDS)) as program:
        requests.get(f"{program.url()}/health", timeout=SECONDS)
        program.signal(number)
        assert program.exit_code() == 0
        assert "Traceback" not in program.output


def test_a_signal_ends_it_while_it_waits_for_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("huggingface_hub", reason="the extra `hub` is not installed")
    with open_port("127.0.0.1", 0) as silent_hub:
        monkeypatch.setenv("HF_ENDPOINT", format_url(silent_hub))
        with running(tmp_path, *PROGRAM, "-hf", "user/repo") as program:
            silent_hub.settimeout(SECONDS)
            with silent_hub.accept()[0]:
                program.signal(signal.SIGTERM)
                assert program.exit_code() == 0
            assert program.output == ""


def test_a_port_in_use_is_one_line() -> None:
    with open_port("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        expected = f"llama-slots: error: cannot listen on 127.0.0.1:{port}: another program does; "
        assert run_failing("--port", str(port)).startswith(expected)


def test_a_missing_model_is_one_line(tmp_path: Path) -> None:
    missing = tmp_path / "missing.gguf"
    assert run_failing("-m", str(missing)) == f"llama-slots: error: {missing} does not exist"


def test_a_truncated_model_is_one_line(tmp_path: Path) -> None:
    truncated = tmp_path / "truncated.gguf"
    truncated.write_bytes(BUNDLED_MODEL.read_bytes()[:-100_000])
    assert f"{truncated} is truncated: it has " in run_failing("-m", str(truncated))


def test_a_foreign_file_is_one_line(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.gguf"
    foreign.write_text("<html>404</html>")
    assert f"{foreign} is not a GGUF file; it looks like an HTML page" in run_failing("-m", str(foreign))


def test_a_model_that_llama_cpp_refuses_is_one_line(tmp_path: Path) -> None:
    unknown = tmp_path / "unknown.gguf"
    unknown.write_bytes(BUNDLED_MODEL.read_bytes().replace(b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0llamb", 1))
    assert run_failing("-m", str(unknown)).startswith("llama-slots: error: ")


def test_a_bias_for_a_token_that_the_model_does_not_have_is_one_line() -> None:
    expected = "llama-slots: error: argument -l/--logit-bias: expected tokens of the model, from 0 to "
    assert run_failing("--logit-bias", "5+1", "--logit-bias", "99999999+1").startswith(expected)


def test_a_wrong_flag_is_one_line_and_exit_code_2() -> None:
    assert run_failing("-c", "-5", code=2).startswith(
        "llama-slots: error: argument -c/--ctx-size: expected a whole number"
    )
