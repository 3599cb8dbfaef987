"""Download: files from URLs that requests name. None may reach, through this server, what its client cannot."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from urllib.parse import SplitResult, urljoin, urlsplit

from models.tuning.errors import TuningError
from server.fine_tuning.job.addresses import ForbiddenAddress, resolve_host

MAX_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
SILENCE_SECONDS = 8.0
"""For which a host may say nothing."""
PROBE_SECONDS = 8.0
DOWNLOAD_SECONDS = 600.0
PROBE_BYTES = 65_536
CHUNK_BYTES = 65_536


class DownloadError(TuningError):
    """A URL whose file cannot be fetched. The message is one sentence without the URL's query, which may be secret."""


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    allow_local: bool = False
    """Allow addresses of this machine and of private networks."""
    max_bytes: int = 512 * 1024 * 1024


def probe(url: str, limits: DownloadLimits) -> bytes:
    """Returns the beginning of a file, at most PROBE_BYTES. Blocks for at most some seconds. Raises DownloadError."""
    with _opened(url, limits, PROBE_SECONDS) as (response, deadline):
        return b"".join(_chunks(response, PROBE_BYTES, deadline))[:PROBE_BYTES]


def download(url: str, path: Path, limits: DownloadLimits) -> None:
    """Writes a file to `path`, which is there only if all of it is. Raises DownloadError."""
    temporary = path.with_name(f"{path.name}.tmp")
    n_bytes = 0
    with _opened(url, limits, DOWNLOAD_SECONDS) as (response, deadline), temporary.open("wb") as file:
        for chunk in _chunks(response, limits.max_bytes + 1, deadline):
            n_bytes += len(chunk)
            _check_size(n_bytes, limits)
            file.write(chunk)
    temporary.replace(path)


def check_url(url: str) -> SplitResult:
    """Returns the parts of a URL. Raises DownloadError if it is not one of HTTP."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise DownloadError("expected a URL, got one with a host or port that cannot be read") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DownloadError(f"expected a URL that starts with http:// or https://, got {url.partition('?')[0][:80]}")
    if parts.username is not None:
        raise DownloadError("expected a URL without a user's name and password")
    return parts


@contextmanager
def _opened(url: str, limits: DownloadLimits, seconds: float) -> Iterator[tuple[HTTPResponse, float]]:
    """Gives the response with the file, and the time at which it has to be read."""
    deadline = time.monotonic() + seconds
    for _ in range(MAX_REDIRECTS + 1):
        parts = check_url(url)
        connection = _connect(parts, limits, deadline)
        try:
            response = _request(connection, parts)
            if response.status in REDIRECTS:
                url = urljoin(url, response.headers.get("Location", ""))
                continue
            if response.status != 200:
                raise DownloadError(f"{parts.hostname} answered {response.status} {response.reason}, expected 200")
            _check_size(int(response.headers.get("Content-Length") or 0), limits)
            yield response, deadline
            return
        except (OSError, HTTPException, ValueError) as error:
            raise DownloadError(f"{parts.hostname} cannot be read: {_words(error)}") from None
        finally:
            connection.close()
    raise DownloadError(f"{parts.hostname} redirects more than {MAX_REDIRECTS} times")


def _connect(parts: SplitResult, limits: DownloadLimits, deadline: float) -> HTTPConnection:
    """Connects to the address that was checked, and not to whatever a second look-up would give."""
    host, is_https = str(parts.hostname), parts.scheme == "https"
    port = parts.port or (443 if is_https else 80)
    timeout = max(min(SILENCE_SECONDS, deadline - time.monotonic()), 0.1)
    try:
        address = resolve_host(host, port, allow_local=limits.allow_local)
        opened = socket.create_connection((address, port), timeout)
        if is_https:
            opened = ssl.create_default_context().wrap_socket(opened, server_hostname=host)
    except ForbiddenAddress as error:
        raise DownloadError(str(error)) from None
    except (OSError, UnicodeError) as error:
        raise DownloadError(f"{host} cannot be reached: {_words(error)}") from None
    # It is connected already, so that neither does it look up the host, nor use a proxy, which would.
    connection = HTTPSConnection(host, port) if is_https else HTTPConnection(host, port)
    connection.sock = opened
    return connection


def _request(connection: HTTPConnection, parts: SplitResult) -> HTTPResponse:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.request("GET", target, headers={"Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close"})
    return connection.getresponse()


def _chunks(response: HTTPResponse, max_bytes: int, deadline: float) -> Iterator[bytes]:
    """Yields a response's body until more than `max_bytes` have come."""
    n_bytes = 0
    while n_bytes < max_bytes and (chunk := response.read1(CHUNK_BYTES)):
        if time.monotonic() > deadline:
            raise TimeoutError("it takes too long")
        n_bytes += len(chunk)
        yield chunk


def _check_size(n_bytes: int, limits: DownloadLimits) -> None:
    if n_bytes > limits.max_bytes:
        raise DownloadError(f"expected a file of at most {limits.max_bytes} bytes, got a larger one")


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
