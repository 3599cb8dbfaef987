"""receive_upload: reads a form with one file (multipart/form-data, RFC 7578), which goes to the disk as it arrives."""

import codecs
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from server.http.errors import ApiError
from slots.errors import InvalidRequest

FILE_FIELD = "file"
MAX_FIELD_BYTES = 4096
MAX_FIELDS = 32
OVERHEAD_BYTES = 64 * 1024
"""Of a body, besides the file."""
BATCH_BYTES = 256 * 1024
"""Written in one call of a worker thread."""


@dataclass(slots=True)
class Upload:
    path: Path
    """Where the file is, under a temporary name."""
    filename: str = ""
    n_characters: int | None = 0
    """None if it is no text in UTF-8."""
    fields: dict[str, str] = field(default_factory=dict)
    """The other parts."""


async def receive_upload(request: Request, folder: Path, max_bytes: int) -> Upload:
    """Returns the file of a form, which is in `folder`, and which the caller moves or removes.

    Raises InvalidRequest for any other body, ApiError (413) for a larger file, ClientDisconnect when the client goes
    away before the end.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        expected = "expected a form with a part named file (multipart/form-data with its boundary)"
        raise InvalidRequest("Content-Type", f"{expected}, got {kind.decode('latin-1')[:60] or 'nothing'}")
    path = folder / f"upload-{secrets.token_hex(8)}"
    with _removed_on_error(path):
        receiver = _Receiver(path, boundary, max_bytes)
        try:
            await _feed(request, receiver)
            return await run_in_threadpool(receiver.finish)
        finally:
            receiver.close()


async def _feed(request: Request, receiver: "_Receiver") -> None:
    batch = bytearray()
    async for chunk in request.stream():
        batch += chunk
        if len(batch) >= BATCH_BYTES or not chunk:
            await run_in_threadpool(receiver.write, bytes(batch))
            batch.clear()
    await run_in_threadpool(receiver.write, bytes(batch))


@contextmanager
def _removed_on_error(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


class _Receiver:
    """Takes a body in pieces. Nothing but short parts is kept in memory."""

    def __init__(self, path: Path, boundary: bytes, max_bytes: int) -> None:
        self._upload = Upload(path)
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._max_bytes, self._n_file, self._n_body = max_bytes, 0, 0
        self._decoder: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
        self._has_file = self._has_ended = False
        self._headers: dict[bytes, bytes] = {}
        self._name, self._value = bytearray(), bytearray()
        """Of the header that is being read; then the value is that of a part that is no file."""
        self._part: str | None = None
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_part_end": self._on_part_end,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise InvalidRequest("Content-Type", f"expected a form: {error}") from None

    def write(self, data: bytes) -> None:
        self._n_body += len(data)
        if self._n_body > self._max_bytes + OVERHEAD_BYTES:
            raise self._too_large()
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise InvalidRequest("body", f"expected a form (multipart/form-data): {error}") from None

    def finish(self) -> Upload:
        if not self._has_ended:
            raise InvalidRequest("body", "expected the end of the form (its last boundary), got the end of the body")
        if not self._has_file:
            raise InvalidRequest(FILE_FIELD, "expected a file in the form, got none")
        if self._decoder is not None:
            self._count(b"", final=True)
        self._upload.n_characters = None if self._decoder is None else self._upload.n_characters
        return self._upload

    def close(self) -> None:
        self._file.close()

    def _too_large(self) -> ApiError:
        return ApiError(413, f"file: expected at most {self._max_bytes} bytes, got more", field=FILE_FIELD)

    def _on_part_begin(self) -> None:
        self._headers = {}

    def _on_header_end(self) -> None:
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name, filename = options.get(b"name", b"").decode(errors="replace"), options.get(b"filename")
        if name == FILE_FIELD:
            if self._has_file:
                raise InvalidRequest(FILE_FIELD, "expected one file in the form, got several")
            self._has_file = True
            self._upload.filename = Path((filename or b"file").decode(errors="replace")).name[:255] or "file"
        elif len(self._upload.fields) >= MAX_FIELDS:
            raise InvalidRequest("body", f"expected at most {MAX_FIELDS} parts in the form, got more")
        self._part = name

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if self._part == FILE_FIELD:
            self._n_file += len(piece)
            if self._n_file > self._max_bytes:
                raise self._too_large()
            self._file.write(piece)
            self._count(piece)
        else:
            self._value += piece
            if len(self._value) > MAX_FIELD_BYTES:
                raise InvalidRequest(str(self._part)[:60], f"expected at most {MAX_FIELD_BYTES} bytes, got more")

    def _on_part_end(self) -> None:
        if self._part != FILE_FIELD and self._part:
            self._upload.fields[self._part] = bytes(self._value).decode(errors="replace")
        self._value.clear()

    def _on_end(self) -> None:
        self._has_ended = True
        self._file.flush()

    def _count(self, piece: bytes, *, final: bool = False) -> None:
        """Counts characters, until it turns out that the file is no text."""
        if self._decoder is None:
            return
        try:
            self._upload.n_characters = (self._upload.n_characters or 0) + len(self._decoder.decode(piece, final))
        except UnicodeDecodeError:
            self._decoder = None
