"""The client of OpenAI's dialect, with servers that implement less of it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.harness.openai_client import OpenAiEndpoint, get_usage


class Forgetful(BaseHTTPRequestHandler):
    """Streams one word without a usage, announces that it keeps the connection, and closes it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        event = {"choices": [{"text": "word", "finish_reason": "length"}]}
        body = f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "keep-alive")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def forgetful() -> Iterator[OpenAiEndpoint]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Forgetful) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield OpenAiEndpoint("forgetful", f"http://127.0.0.1:{server.server_port}", model="any")
        server.shutdown()
        thread.join()


def test_a_client_asks_again_though_the_connection_was_closed_without_a_word(forgetful: OpenAiEndpoint) -> None:
    [client] = forgetful.clients(1)
    answers = [client.stream("a", 5) for _request in range(3)]
    assert [(answer.tokens, answer.n_generated) for answer in answers] == [("word", 5)] * 3


def event(text: str, reason: str | None = None) -> dict[str, object]:
    return {"choices": [{"text": text, "finish_reason": reason}]}


@pytest.mark.parametrize(
    ("events", "n_generated"),
    [
        ([event("a"), event("b"), {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 7}}], 7),
        ([event("a"), event("b"), event("", "length")], 9),  # two tokens may share an event, or have no text yet
        ([event("a"), event("b"), event("", "stop")], 2),
    ],
)
def test_tokens_are_counted_as_well_as_a_stream_tells_them(events: list[dict[str, object]], n_generated: int) -> None:
    assert get_usage(events, 9)["completion_tokens"] == n_generated
