"""HttpProtocol: uvicorn's HTTP/1.1 on httptools, for clients that offer an upgrade, and for HTTP/1.0."""

import asyncio
import logging

import httptools
from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

logger = logging.getLogger("server")

UPGRADE_HEADERS = (b"upgrade", b"http2-settings")


class HttpProtocol(HttpToolsProtocol):
    """Ignores the offer of another protocol (RFC 9110, 7.8): Java's HttpClient offers HTTP/2 with each request.

    httptools ends a message at the headers that offer it, so uvicorn would answer without having read the body. Here
    the message is parsed again without these headers.

    A connection is closed if the client stops amid a request, or takes nothing more of a response, for `io_timeout`
    seconds.
    """

    io_timeout = 3600.0
    _reading: asyncio.TimerHandle | None = None
    _writing: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._stop_reading_timer()
        self._reading = self.loop.call_later(self.io_timeout, self._end_reading)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._offers_upgrade():
                rest = self._head_without_upgrade() + data[upgrade.args[0] :]
                self.parser = httptools.HttpRequestParser(self)  # the other one may take the connection for closed
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
                self.data_received(rest)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def on_headers_complete(self) -> None:
        if not self._offers_upgrade():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._offers_upgrade():
            self._stop_reading_timer()
            super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._writing = self.loop.call_later(self.io_timeout, self._close_late_connection)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_writing_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_reading_timer()
        self._stop_writing_timer()
        super().connection_lost(exc)

    def _stop_reading_timer(self) -> None:
        if self._reading:
            self._reading.cancel()
            self._reading = None

    def _stop_writing_timer(self) -> None:
        if self._writing:
            self._writing.cancel()
            self._writing = None

    def _end_reading(self) -> None:
        if not self.flow.read_paused:  # else it is the server that does not read
            self._close_late_connection()

    def _close_late_connection(self) -> None:
        logger.info("Closed a connection: the client neither sent nor took anything for %d seconds", self.io_timeout)
        self.transport.abort()

    def _offers_upgrade(self) -> bool:
        return self.parser.should_upgrade() and any(name == b"upgrade" for name, _ in self.headers)

    def _head_without_upgrade(self) -> bytes:
        lines = [b"%b %b HTTP/1.1" % (self.parser.get_method(), self.url)]
        for name, value in self.headers:
            if name == b"connection":
                kept = [option for option in value.split(b",") if option.strip().lower() not in UPGRADE_HEADERS]
                lines.append(b"connection:" + b",".join(kept))
            elif name not in UPGRADE_HEADERS:
                lines.append(b"%b: %b" % (name, value))
        return b"\r\n".join([*lines, b"", b""])

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        is_old = cycle.scope["http_version"] == "1.0"
        super()._start_asgi_task(cycle, _end_by_close(cycle, app) if is_old else app)


def http_protocol(io_timeout: float) -> type[HttpProtocol]:
    """Returns the protocol with this timeout."""
    return type("TimedHttpProtocol", (HttpProtocol,), {"io_timeout": io_timeout})


def _end_by_close(cycle: RequestResponseCycle, app: ASGI3Application) -> ASGI3Application:
    """Returns an application whose responses of unknown length are not chunked, which HTTP/1.0 does not know (RFC 9112,
    6.1): they end with the connection."""
    is_unframed = False

    async def run(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        async def send_unframed(message: ASGISendEvent) -> None:
            nonlocal is_unframed
            if message["type"] == "http.response.start":
                is_unframed = all(name.lower() != b"content-length" for name, _ in message.get("headers", ()))
                if is_unframed:
                    cycle.chunked_encoding = False
            elif is_unframed and message["type"] == "http.response.body":
                cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        await app(scope, receive, send_unframed)

    return run
