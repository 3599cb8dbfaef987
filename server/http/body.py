"""read_body: reads a request's body as JSON, whatever its Content-Type: node's `fetch` calls a string text/plain."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from server.http.errors import ApiError
from server.http.fields import Fields, preview
from slots.errors import InvalidRequest

MAX_BYTES = 32 * 1024 * 1024
"""Of a body, without the file of a picture or sound."""
MAX_BYTES_ON_LOOP = 8 * 1024
"""A longer body, which may be a text to tokenize, is parsed in a worker thread: all streams wait for the event loop."""
MAX_DEPTH = 200
"""Of lists and objects within a member of a body."""
WRITABLE_DEPTH = 254
"""Of a value that orjson can write as JSON: answers hold parts of bodies."""

WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""By content coding: what zlib's decompressor is told about the format (RFC 9110, 8.4.1)."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """How long a body may be. If the model takes pictures or sounds, there is room for one of the permitted size, in
    base64, beside what a body may have otherwise."""

    max_file_bytes: Callable[[], int] = lambda: 0
    """Returns the permitted size; 0 if the model takes only text."""

    @property
    def n_bytes(self) -> int:
        return MAX_BYTES + 4 * -(-self.max_file_bytes() // 3)

    def error(self) -> ApiError:
        hint = ""
        if n_bytes := self.max_file_bytes():
            hint = f"; a picture or sound may have {n_bytes} bytes, and a third more in base64 (--media-max-bytes)"
        return ApiError(413, f"body: expected at most {self.n_bytes} bytes, got more{hint}")


async def read_body(request: Request, read: Callable[[Fields], Result], *, is_slow: bool = False) -> Result:
    """Returns what `read` returns for the JSON object in the body. `read` may be called in another thread, and always
    is if it is slow.

    Raises InvalidRequest for a body that is anything else, ApiError for one above the limit (413) or in an unknown
    content coding (415), ClientDisconnect when the client goes away before its end, and what `read` raises.
    """
    limit: BodyLimit = request.app.state.body_limit
    body = await _read_bytes(request, limit)
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if len(body) <= MAX_BYTES_ON_LOOP and not is_slow and coding == "identity":
        return read(_parse_object(body))
    return await run_in_threadpool(lambda: read(_parse_object(_decode(body, coding, limit))))


async def read_list_body(request: Request, read: Callable[[list[object]], Result]) -> Result:
    """Returns what `read` returns for the JSON list in the body, which is expected to be short. Raises as `read_body`
    does."""
    limit: BodyLimit = request.app.state.body_limit
    body = await _read_bytes(request, limit)
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    values = await run_in_threadpool(lambda: _parse(_decode(body, coding, limit), "a JSON list"))
    if not isinstance(values, list):
        raise InvalidRequest("body", f"expected a JSON list, got {preview(values)}")
    return read(values)


async def _read_bytes(request: Request, limit: BodyLimit) -> bytearray:
    body = bytearray()
    n_most = limit.n_bytes
    async for chunk in request.stream():
        body += chunk
        if len(body) > n_most:
            raise limit.error()
    return body


def _decode(body: bytearray, coding: str, limit: BodyLimit) -> bytes | bytearray:
    """Returns the body without its content coding. Never decompresses more than the limit of a body."""
    if coding == "identity":
        return body
    if coding not in WINDOW_BITS:
        message = f"Content-Encoding: expected gzip, deflate or identity, got {preview(coding)}"
        raise ApiError(415, message, headers={"Accept-Encoding": "gzip, deflate"})
    decompressor = zlib.decompressobj(WINDOW_BITS[coding])
    try:
        decoded = decompressor.decompress(body, limit.n_bytes + 1)
    except zlib.error:
        raise InvalidRequest("body", f"expected {coding}, as Content-Encoding says, got something else") from None
    if len(decoded) > limit.n_bytes:
        raise limit.error()
    if not decompressor.eof:
        raise InvalidRequest("body", f"expected the whole of a {coding} stream, got only its beginning")
    return decoded


def _parse_object(body: bytes | bytearray) -> Fields:
    fields = _parse(body, "a JSON object")
    if not isinstance(fields, dict):
        raise InvalidRequest("body", f"expected a JSON object, got {preview(fields)}")
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        for name, value in fields.items():
            _check_depth(name, value)
    return fields


def _check_depth(name: str, value: object) -> None:
    """Raises InvalidRequest for a value that is nested deeper than all that work on it can go."""
    for _ in range(WRITABLE_DEPTH - MAX_DEPTH):
        value = [value]
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        raise InvalidRequest(
            name or '""', f"expected lists and objects at most {MAX_DEPTH} deep, got deeper ones"
        ) from None


def _parse(body: bytes | bytearray, expected: str) -> object:
    if not body.strip():
        raise InvalidRequest("body", f"expected {expected}, got nothing")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        where = f"{error.msg} at line {error.lineno} column {error.colno}"
        raise InvalidRequest("body", f"expected {expected}, got invalid JSON: {where}") from None
