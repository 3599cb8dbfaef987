"""Sources of media: the bytes of a data: URL, of base64, of a file below a folder, or of a host that is allowed."""

import base64
import binascii
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from email.message import Message
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from server.chat.media_parts import MediaSource
from server.http.fields import preview
from server.settings import Settings
from slots.errors import InvalidRequest

FORMS = "a data: URL or base64"
DOWNLOAD_SECONDS = 10.0
CHUNK_BYTES = 64 * 1024
MEDIA_TYPES = ("image/", "audio/", "application/octet-stream")


def read_source(source: MediaSource, settings: Settings, max_bytes: int) -> bytes:
    """Returns the file, of at most `max_bytes` bytes. For a worker thread: it may take as long as a download does.
    Raises InvalidRequest, which names the part of the request."""
    name, url = source.name, source.url
    scheme = urlsplit(url[:32]).scheme if ":" in url[:32] else ""
    if scheme == "data":
        return _decode_data_url(name, url, max_bytes)
    if scheme in ("http", "https"):
        return _download(name, url, settings.media_url_hosts, max_bytes)
    if scheme == "file":
        return _read_file(name, url, settings.media_path, max_bytes)
    if scheme:
        raise InvalidRequest(name, f"expected {FORMS}, got a URL of the kind {preview(scheme)}")
    return _decode(name, url, max_bytes)


def _decode_data_url(name: str, url: str, max_bytes: int) -> bytes:
    head, comma, data = url.partition(",")
    kind = head.removeprefix("data:").split(";", 1)[0].lower()
    if not comma or not head.endswith(";base64"):
        raise InvalidRequest(name, f"expected data:image/png;base64,... or the like, got {preview(head)}")
    if kind and not kind.startswith(MEDIA_TYPES):
        raise InvalidRequest(name, f"expected an image or sound, got data of the type {preview(kind)}")
    return _decode(name, data, max_bytes)


def _decode(name: str, text: str, max_bytes: int) -> bytes:
    if len(text) // 4 * 3 > max_bytes + 3:
        raise _too_large(name, max_bytes)
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(name, f"expected {FORMS}, got {preview(text[:40])}") from None
    if not data:
        raise InvalidRequest(name, f"expected {FORMS}, got nothing")
    return data


def _read_file(name: str, url: str, folder: Path | None, max_bytes: int) -> bytes:
    """Reads a file below the folder, through no link that leads out of it."""
    if folder is None:
        raise InvalidRequest(name, f"expected {FORMS}: files are read only if the server has --media-path")
    root = folder.resolve()
    relative = unquote(url.removeprefix("file:").removeprefix("//").removeprefix("localhost/"))
    try:
        path = (root / relative.lstrip("/")).resolve()
        if not path.is_relative_to(root) or not path.is_file():
            raise InvalidRequest(name, f"expected a file below the folder of --media-path, got {preview(relative)}")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except (OSError, ValueError):
        raise InvalidRequest(name, f"expected a file that can be read, got {preview(relative)}") from None
    if len(data) > max_bytes:
        raise _too_large(name, max_bytes)
    return data


class _NoOtherHosts(urllib.request.HTTPRedirectHandler):
    """Follows a redirection only to a host that is allowed."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._hosts = hosts

    def redirect_request(  # noqa: PLR0917 - as the base class has it
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        if not _is_allowed(newurl, self._hosts):
            raise urllib.error.URLError(f"it leads to {urlsplit(newurl).hostname}, which --media-url-hosts lacks")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _download(name: str, url: str, hosts: Sequence[str], max_bytes: int) -> bytes:
    if not _is_allowed(url, hosts):
        raise InvalidRequest(name, f"expected {FORMS}, or a URL of a host that --media-url-hosts names")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoOtherHosts(hosts))
    deadline = time.monotonic() + DOWNLOAD_SECONDS
    data = bytearray()
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "llama-slots"})
        with opener.open(request, timeout=DOWNLOAD_SECONDS) as response:
            while chunk := response.read1(CHUNK_BYTES):
                data += chunk
                if len(data) > max_bytes:
                    raise _too_large(name, max_bytes)
                if time.monotonic() > deadline:
                    raise TimeoutError(f"it took more than {DOWNLOAD_SECONDS:.0f} seconds")
    except (OSError, ValueError, urllib.error.URLError) as error:
        reason = getattr(error, "reason", None) or error
        raise InvalidRequest(name, f"expected a file that can be downloaded: {reason}") from None
    return bytes(data)


def _is_allowed(url: str, hosts: Sequence[str]) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and host is not None and ("*" in hosts or host in hosts)


def _too_large(name: str, max_bytes: int) -> InvalidRequest:
    return InvalidRequest(name, f"expected a file of at most {max_bytes} bytes (--media-max-bytes), got more")
