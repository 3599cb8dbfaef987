"""HTTP/1.1 clients that offer another protocol, and HTTP/1.0."""

import asyncio
import json
import socket
from urllib.parse import urlsplit

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from server.lifecycle.http_protocol import HttpProtocol, http_protocol
from tests.server.http_client import events

BODY = json.dumps({"prompt": "Once", "n_predict": 2, "temperature": 0}).encode()
OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n" % len(BODY)


def exchange(url: str, *parts: bytes) -> bytes:
    """Sends the parts and returns all that comes back until the server closes the connection."""
    address = urlsplit(url)
    received = b""
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        for part in parts:
            connection.sendall(part)
        while data := connection.recv(65536):
            received += data
    return received


def head(*lines: bytes, path: bytes = b"/completion", version: bytes = b"1.1") -> bytes:
    return b"POST %b HTTP/%b\r\nHost: x\r\n%b" % (path, version, b"".join(lines))


CLOSE = head(b"Connection: close\r\n", LENGTH) + BODY
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)


@pytest.mark.parametrize("body", [LENGTH + BODY, CHUNKED], ids=["length", "chunked"])
def test_an_offer_of_http_2_is_ignored(server: str, body: bytes) -> None:
    answers = exchange(server, head(OFFER, body) + CLOSE)
    assert answers.count(b"HTTP/1.1 200 OK") == 2


def test_the_body_may_come_later_than_the_offer(server: str) -> None:
    assert exchange(server, head(OFFER, LENGTH), BODY[:5], BODY[5:] + CLOSE).count(b" 200 OK") == 2


def test_a_close_beside_the_offer_still_closes(server: str) -> None:
    both = OFFER.replace(b"Upgrade, ", b"close, Upgrade, ")
    assert exchange(server, head(both, LENGTH) + BODY).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("fields", [{}, {"stream": True}], ids=["whole", "streamed"])
def test_http_1_0_gets_no_chunks(server: str, fields: dict[str, bool]) -> None:
    body = json.dumps({"prompt": "Once", "n_predict": 3, "temperature": 0} | fields).encode()
    headers, _, text = exchange(
        server, head(b"Content-Length: %d\r\n\r\n" % len(body), version=b"1.0") + body
    ).partition(b"\r\n\r\n")
    assert b"chunked" not in headers
    last = list(events(text))[-1] if fields else json.loads(text)
    assert last["stop"] is True


def test_what_is_no_http_gets_a_400(server: str) -> None:
    assert exchange(server, b"hello\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_a_client_that_takes_nothing_of_a_response_is_cut_off() -> None:
    async def run() -> str:
        ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def app(_: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _chunk in range(64):  # far more than the buffers of two sockets
                await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": True})
            ended.set_result((await receive())["type"])

        config = uvicorn.Config(app, http=http_protocol(0.2), lifespan="off", log_config=None)
        config.load()

        def protocol() -> HttpProtocol:
            return http_protocol(0.2)(config, ServerState(), {})

        server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
        _reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), limit=1)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            return await asyncio.wait_for(ended, timeout=20)
        finally:
            writer.transport.abort()
            server.close()

    assert asyncio.run(run()) == "http.disconnect"
