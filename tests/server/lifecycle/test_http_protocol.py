"""HTTP/1.1 clients that offer another protocol, and HTTP/1.0."""

import json
import socket
from urllib.parse import urlsplit

import pytest

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
