import asyncio
import json
import logging

import pytest
from starlette.types import Message, Receive, Scope, Send

from server.http.exception_handlers import CatchUnexpectedErrors

SCOPE = {"type": "http", "method": "GET", "path": "/broken"}
BEGIN = {"type": "http.response.start", "status": 200, "headers": []}


async def no_body() -> Message:
    return {"type": "http.request"}


def messages_of(*, begins: bool) -> list[Message]:
    """Returns what a client gets from an application with a defect."""
    sent: list[Message] = []

    async def broken(_: Scope, __: Receive, send: Send) -> None:
        if begins:
            await send(BEGIN)
        raise KeyError("something private")

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(CatchUnexpectedErrors(broken)(SCOPE, no_body, send))
    return sent


def test_client_learns_no_more_than_that_it_happened() -> None:
    begin, body = messages_of(begins=False)
    assert begin["status"] == 500
    message = "something went wrong inside the server; its log says what"
    assert json.loads(body["body"]) == {"error": {"code": 500, "message": message, "type": "server_error"}}


def test_log_gets_the_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "server"):
        messages_of(begins=False)
    assert "GET /broken failed" in caplog.text
    assert "KeyError: 'something private'" in caplog.text


def test_answer_that_has_begun_is_broken_off() -> None:
    with pytest.raises(KeyError):
        messages_of(begins=True)
