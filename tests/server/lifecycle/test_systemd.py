"""What systemd is told, heard at a socket as systemd has one."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.lifecycle.systemd import notify, watchdog_interval
from tests.server.program import PROGRAM, SECONDS, running


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket that systemd would read."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(SECONDS)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listener


def heard_until(systemd: socket.socket, words: str) -> list[str]:
    heard = [systemd.recv(4096).decode()]
    while words not in heard[-1]:
        heard.append(systemd.recv(4096).decode())
    return heard


def test_a_state_is_one_message(systemd: socket.socket) -> None:
    assert notify("READY=1")
    assert systemd.recv(100) == b"READY=1"


def test_an_abstract_socket_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0llama-slots-test")
        monkeypatch.setenv("NOTIFY_SOCKET", "@llama-slots-test")
        assert notify("STOPPING=1")
        assert listener.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("path", ["", "/nonexistent/socket"])
def test_nobody_needs_to_listen(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    assert not notify("READY=1")


@pytest.mark.parametrize(
    ("microseconds", "pid", "interval"),
    [("3000000", None, 1.5), ("", None, None), ("3000000", "1", None), ("soon", None, None)],
)
def test_a_sign_of_life_is_wanted_twice_in_the_time_of_the_unit(
    microseconds: str, pid: str | None, interval: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    if pid:
        monkeypatch.setenv("WATCHDOG_PID", pid)
    assert watchdog_interval() == interval


def test_a_server_says_that_it_is_ready_lives_and_stops(
    systemd: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "100000")
    with running(tmp_path, *PROGRAM, "-t", "1") as program:
        ready = heard_until(systemd, "WATCHDOG=1")
        assert ready[0].startswith("READY=1\nSTATUS=Ready on http://127.0.0.1:")
        assert heard_until(systemd, "WATCHDOG=1") == ["WATCHDOG=1"]
        program.signal(signal.SIGTERM)
        assert heard_until(systemd, "STOPPING=1")[-1] == "STOPPING=1"
        assert program.exit_code() == 0
