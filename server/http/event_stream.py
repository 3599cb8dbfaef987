"""EventStreamResponse: a stream of events, server-sent ones or lines of JSON."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

import orjson
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from server.http.disconnect import cancel_on_disconnect
from server.http.errors import ApiError, api_error
from server.http.request_tracking import SEND_BODY
from slots.errors import EngineError

logger = logging.getLogger("server")

SendEvent = Callable[[object], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class EventFormat:
    """How a dialect writes a stream."""

    encode: Callable[[object], bytes] = orjson.dumps
    """Returns the data of an event, which is one line."""
    before: bytes = b"data: "
    """Precedes the data of each event."""
    after: bytes = b"\n\n"
    """Follows it."""
    is_named: bool = False
    """Whether an event, which is an object then, has its `type` for a name."""
    ping: bytes = b":\n\n"
    """Breaks a long silence; the default is a comment."""
    end: bytes = b""
    """Follows the last event."""
    media_type: str = "text/event-stream"


PLAIN_EVENTS = EventFormat()
JSON_LINES = EventFormat(before=b"", after=b"\n", ping=b" ", media_type="application/x-ndjson")
"""An object a line. A ping is a space before the next one, since clients parse each line, empty ones included."""


class EventStreamResponse(Response):
    """Sends the events of `produce`, which is cancelled when the client goes away.

    The status is sent with the first event. An error before it has its own status; one after it is sent as an event.
    """

    def __init__(
        self,
        produce: Callable[[SendEvent], Awaitable[None]],
        headers: Mapping[str, str],
        format_error: Callable[[Exception], ApiError] = api_error,
        event_format: EventFormat = PLAIN_EVENTS,
        ping_interval: float = 30.0,
    ) -> None:
        """After `ping_interval` seconds of silence the client gets a ping; it gets none if they are 0 or less."""
        self.status_code = 200
        self.background = None
        self.media_type = event_format.media_type
        # Without the last header, nginx would hold events back until its buffer is full.
        self.init_headers({**headers, "Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self._produce = produce
        self._format_error = format_error
        self._event_format = event_format
        self._ping_interval = ping_interval

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        send_body = scope.get("state", {}).get(SEND_BODY, send)
        writer = _EventWriter(partial(send, start), send_body, self._event_format)
        try:
            await cancel_on_disconnect(receive, self._respond(writer))
        except ClientDisconnect:
            return

    async def _respond(self, writer: "_EventWriter") -> None:
        pinging = asyncio.create_task(writer.ping_in_silence(self._ping_interval))
        try:
            await self._produce(writer.send_event)
        except Exception as error:
            if not writer.has_started:
                raise
            if not isinstance(error, EngineError):
                logger.exception("a stream of events failed midway")
            await writer.send_event(self._format_error(error).event())
        finally:
            pinging.cancel()
        await writer.end()


class _EventWriter:
    """Writes events, also if several tasks send some."""

    def __init__(self, start: Callable[[], Awaitable[None]], send: Send, event_format: EventFormat) -> None:
        """`start` sends the status and the headers, `send` the parts of the body."""
        self.has_started = False
        self._start = start
        self._send = send
        self._format = event_format
        self._starting = asyncio.Lock()
        self._is_silent = True

    async def send_event(self, data: object) -> None:
        self._is_silent = False
        how = self._format
        name = self._name(data) if how.is_named else b""
        await self._write(name + how.before + how.encode(data) + how.after)

    async def ping_in_silence(self, interval: float) -> None:
        """Sends a ping in long pauses, so that proxies keep the connection open while a long prompt is computed."""
        while interval > 0:
            self._is_silent = True
            await asyncio.sleep(interval)
            if self._is_silent:
                await self._write(self._format.ping)

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": self._format.end, "more_body": False})

    def _name(self, data: object) -> bytes:
        assert isinstance(data, Mapping)
        return b"event: %b\n" % str(data["type"]).encode()

    async def _write(self, body: bytes) -> None:
        if not self.has_started:
            await self._start_once()
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def _start_once(self) -> None:
        async with self._starting:
            if not self.has_started:
                await self._start()
                self.has_started = True
