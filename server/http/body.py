"""read_body: reads a request's body as JSON, whatever its Content-Type: node's `fetch` calls a string text/plain."""

from collections.abc import Callable
from typing import TypeVar

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from server.http.errors import ApiError
from server.http.fields import Fields, preview
from slots.errors import InvalidRequest

MAX_BYTES = 32 * 1024 * 1024
MAX_BYTES_ON_LOOP = 8 * 1024
"""A longer body, which may be a text to tokenize, is parsed in a worker thread: all streams wait for the event loop."""

Result = TypeVar("Result")


async def read_body(request: Request, read: Callable[[Fields], Result], *, is_slow: bool = False) -> Result:
    """Returns what `read` returns for the JSON object in the body. `read` may be called in another thread, and always
    is if it is slow.

    Raises InvalidRequest for a body that is anything else, ApiError (413) for one above the limit, ClientDisconnect
    when the client goes away before its end, and what `read` raises.
    """
    body = await _read_bytes(request)
    if len(body) <= MAX_BYTES_ON_LOOP and not is_slow:
        return read(_parse(body))
    return await run_in_threadpool(lambda: read(_parse(body)))


async def _read_bytes(request: Request) -> bytearray:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise ApiError(413, f"body: expected at most {MAX_BYTES} bytes, got more")
    return body


def _parse(body: bytearray) -> Fields:
    if not body.strip():
        raise InvalidRequest("body", "expected a JSON object, got nothing")
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        where = f"{error.msg} at line {error.lineno} column {error.colno}"
        raise InvalidRequest("body", f"expected a JSON object, got invalid JSON: {where}") from None
    if not isinstance(fields, dict):
        raise InvalidRequest("body", f"expected a JSON object, got {preview(fields)}")
    return fields
