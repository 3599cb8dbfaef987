"""Downloads of URLs that requests name: only from public addresses, unless a flag allows others, and within limits."""

import contextlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from server.fine_tuning.job import download as module
from server.fine_tuning.job.addresses import ForbiddenAddress, is_public, resolve_host
from server.fine_tuning.job.download import DownloadError, DownloadLimits, check_url, download, probe

LOCAL = DownloadLimits(allow_local=True, max_bytes=1000)
CONTENT = b"prompt,response\nHi,Hello\n"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
        elif path == "/loop":
            self.send_response(301)
            self.send_header("Location", "/loop")
            self.end_headers()
        elif path == "/missing":
            self.send_error(404)
        elif path == "/large":
            self.reply(b"x" * 1001)
        elif path == "/endless":
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                while True:
                    self.wfile.write(b"x" * 10)
                    time.sleep(0.02)
        else:
            self.reply(CONTENT)

    def reply(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:4136:e378::"),
    ],
)
def test_other_addresses_are_not(address: str) -> None:
    assert not is_public(address)


def test_a_host_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(2, 1, 6, "", ("8.8.8.8", 80)), (2, 1, 6, "", ("10.0.0.1", 80))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found)
    with pytest.raises(ForbiddenAddress, match=r"example\.com is 10\.0\.0\.1, which is no public address"):
        resolve_host("example.com", 80, allow_local=False)
    assert resolve_host("example.com", 80, allow_local=True) == "8.8.8.8"


def test_a_host_is_looked_up_once(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it could have another address when it is connected to than when that was checked."""
    looked_up = []

    def resolve(name: str, port: int, *, allow_local: bool) -> str:
        looked_up.append(name)
        return "127.0.0.1"

    monkeypatch.setattr(module, "resolve_host", resolve)
    assert probe(host.replace("127.0.0.1", "rebinding.invalid"), DownloadLimits()) == CONTENT
    assert looked_up == ["rebinding.invalid"]


def test_a_file_is_fetched_whole(host: str, tmp_path: Path) -> None:
    download(f"{host}/data.csv?token=1", tmp_path / "file", LOCAL)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_local_addresses_need_a_flag(host: str) -> None:
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1, which is no public address; `--fine-tune-allow-local`"):
        probe(host, DownloadLimits())


def test_redirects_are_followed_and_checked(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert probe(f"{host}/to//data.csv", LOCAL) == CONTENT
    with pytest.raises(DownloadError, match="expected a URL that starts with http"):
        probe(f"{host}/to/file:///etc/passwd", LOCAL)
    with pytest.raises(DownloadError, match="redirects more than 5 times"):
        probe(f"{host}/loop", LOCAL)

    real = resolve_host

    def resolve(name: str, port: int, *, allow_local: bool) -> str:
        return real(name, port, allow_local=name == "127.0.0.1")

    monkeypatch.setattr(module, "resolve_host", resolve)
    with pytest.raises(DownloadError, match=r"127\.0\.0\.2, which is no public address"):
        probe(f"{host}/to/http://127.0.0.2/latest", DownloadLimits())


@pytest.mark.parametrize(
    ("path", "message"),
    [("/missing", "answered 404 Not Found, expected 200"), ("/large", "at most 1000 bytes, got a larger one")],
)
def test_what_is_no_file_is_refused(path: str, message: str, host: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=message):
        download(host + path, tmp_path / "file", LOCAL)
    assert not (tmp_path / "file").exists()


def test_size_and_time_are_bounded(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DownloadError, match="at most 100 bytes, got a larger one"):
        download(f"{host}/endless", tmp_path / "file", DownloadLimits(allow_local=True, max_bytes=100))
    monkeypatch.setattr(module, "DOWNLOAD_SECONDS", 0.2)
    with pytest.raises(DownloadError, match="it takes too long"):
        download(f"{host}/endless", tmp_path / "file", DownloadLimits(allow_local=True))
    assert not (tmp_path / "file").exists()


def test_a_host_that_does_not_listen_is_an_error_in_words() -> None:
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1 cannot be reached: Connection refused"):
        probe("http://127.0.0.1:9", LOCAL)


@pytest.mark.parametrize(
    "url", ["ftp://example.com/a", "file:///etc/passwd", "data.csv", "http://", "http://a:b@example.com", "http://a:x"]
)
def test_what_is_no_url_of_http_is_refused(url: str) -> None:
    with pytest.raises(DownloadError, match="expected a URL"):
        check_url(url)
