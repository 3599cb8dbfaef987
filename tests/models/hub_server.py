"""Fake Hugging Face hub: the part of its HTTP API that a download needs."""

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class HubServer(ThreadingHTTPServer):
    """Serves `files`, by name, of the repository `tiny/stories`."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.token: str | None = None
        """The token that requests must have."""
        self.gated = False
        self.error_status: int | None = None
        self.interrupted_files: set[str] = set()
        """Files whose next download is interrupted in the middle."""
        self.downloads: list[tuple[str, str | None]] = []
        """The name and the requested range of each download."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serve_files(files: dict[str, bytes]) -> Iterator[HubServer]:
    with HubServer(files) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: HubServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.server.error_status is not None:
            self._refuse(self.server.error_status, "")
        elif self.server.token not in (None, self.headers.get("Authorization", "").removeprefix("Bearer ")):
            self._refuse(401, "RepoNotFound")
        elif self.path == "/api/models/tiny/stories":
            self._answer(200, orjson.dumps(self._about()), {"Content-Type": "application/json"})
        elif path := re.fullmatch(rf"/tiny/stories/resolve/(?:main|{COMMIT})/(.+)", self.path):
            self._file(path[1])
        else:
            self._refuse(404, "RepoNotFound")

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def log_message(self, *_: object) -> None:
        """Logs nothing."""

    def _about(self) -> dict[str, Any]:
        siblings = [{"rfilename": name} for name in self.server.files]
        return {"id": "tiny/stories", "sha": COMMIT, "siblings": siblings}

    def _file(self, name: str) -> None:
        if self.server.gated:
            self._refuse(403, "GatedRepo")
            return
        data = self.server.files[name]
        requested_range = self.headers.get("Range")
        headers = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if self.command == "GET":
            self.server.downloads.append((name, requested_range))
        if requested_range is None:
            self._answer(200, data, headers, cut_off=name in self.server.interrupted_files)
            if self.command == "GET":
                self.server.interrupted_files.discard(name)
        else:
            start = int(requested_range.removeprefix("bytes=").split("-")[0])
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self._answer(206, data[start:], headers)

    def _refuse(self, status: int, code: str) -> None:
        self._answer(status, b"", {"X-Error-Code": code} if code else {})

    def _answer(self, status: int, body: bytes, headers: dict[str, str], cut_off: bool = False) -> None:
        self.send_response(status, HTTPStatus(status).phrase)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[: len(body) // 2] if cut_off else body)
            self.close_connection = cut_off
