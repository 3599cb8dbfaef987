"""TrackRequests: gives each request an id and a record, and reports the record at its end."""

import re
import secrets
import time
from collections.abc import Callable, Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.http.request_record import RequestRecord, set_current_record

ID_HEADER = "X-Request-Id"
TRACE_HEADERS = ("traceparent", "tracestate")

_ID = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII)

SEND_BODY = "send_body"
"""In the state of a request: sends a part of the body past the middleware, which looks at the start of a response
alone. A stream has a part for each token."""

Observer = Callable[[RequestRecord], None]


class TrackRequests:
    """Middleware. The id of a request is that of its X-Request-Id, if that is a word, or a new one; the response has
    it as well."""

    def __init__(self, app: ASGIApp, observers: Sequence[Observer]) -> None:
        """`observers` are called in order when a request has ended."""
        self.app = app
        self._observers = observers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        record = make_record(scope)
        set_current_record(record)
        state = scope.setdefault("state", {})
        state["record"], state[SEND_BODY] = record, send

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                MutableHeaders(scope=message).setdefault(ID_HEADER, record.request_id)
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        finally:
            record.seconds = time.perf_counter() - record.started
            for observe in self._observers:
                observe(record)


def make_record(scope: Scope) -> RequestRecord:
    headers = Headers(scope=scope)
    given = headers.get(ID_HEADER, "")
    request_id = given if _ID.fullmatch(given) else secrets.token_hex(8)
    traced = {name: headers[name] for name in TRACE_HEADERS if name in headers}
    return RequestRecord(request_id, scope["method"], scope["path"], traced)
