"""Streams whose producer fails."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.types import Message

from server.http.event_stream import JSON_LINES, PLAIN_EVENTS, EventFormat, EventStreamResponse, SendEvent
from slots.errors import StepFailed

Produce = Callable[[SendEvent], Awaitable[None]]


class Client:
    """A client that stays, and what is sent to it."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def wait_for(self, n_messages: int) -> None:
        while len(self.sent) < n_messages:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def messages_of(
    produce: Produce,
    event_format: EventFormat = PLAIN_EVENTS,
    ping_interval: float = 30.0,
    client: Client | None = None,
) -> list[Message]:
    """Returns what is sent to a client that stays."""
    client = client or Client()
    response = EventStreamResponse(produce, {}, event_format=event_format, ping_interval=ping_interval)
    asyncio.run(response({"type": "http"}, client.receive, client.send))
    return client.sent


def messages_after_two_pings(event_format: EventFormat, *before: object, last: object = None) -> list[Message]:
    """Returns what is sent if a silence of two pings follows the first events, and then comes the last one."""
    client = Client()

    async def produce(send: SendEvent) -> None:
        for event in before:
            await send(event)
        await client.wait_for(1 + len(before) + 2)  # the first message is the status
        if last is not None:
            await send(last)

    return messages_of(produce, event_format, 0.02, client)


def body_of(sent: list[Message]) -> bytes:
    return b"".join(message["body"] for message in sent[1:])


def test_events_are_lines_of_data() -> None:
    async def produce(send: SendEvent) -> None:
        await send({"content": "a\nb"})
        await send({"content": "ü"})

    assert body_of(messages_of(produce)) == b'data: {"content":"a\\nb"}\n\ndata: {"content":"\xc3\xbc"}\n\n'


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (StepFailed("the model could not be run"), "the model could not be run"),
        (KeyError("secret"), "something went wrong inside the server; its log says what"),
    ],
)
def test_failure_midway_is_an_event_that_ends_the_stream(error: Exception, message: str) -> None:
    async def produce(send: SendEvent) -> None:
        await send({"content": "a"})
        raise error

    sent = messages_of(produce)
    error_event = f'data: {{"error":{{"code":500,"message":"{message}","type":"server_error"}}}}\n\n'
    assert body_of(sent) == b'data: {"content":"a"}\n\n' + error_event.encode()
    assert not sent[-1]["more_body"]


def test_failure_before_the_first_event_is_left_to_the_status() -> None:
    async def produce(_: SendEvent) -> None:
        raise StepFailed("the model could not be run")

    with pytest.raises(StepFailed):
        messages_of(produce)


def test_silence_is_broken_by_comments() -> None:
    body = body_of(messages_after_two_pings(PLAIN_EVENTS, last={}))
    assert body.startswith(b":\n\n:\n\n")
    assert body.endswith(b"data: {}\n\n")


@pytest.mark.parametrize("interval", [-1, 0])
def test_silence_is_kept_without_an_interval(interval: float) -> None:
    async def produce(send: SendEvent) -> None:
        await asyncio.sleep(0.05)
        await send({})

    assert body_of(messages_of(produce, ping_interval=interval)) == b"data: {}\n\n"


def test_a_dialect_says_how_events_are_written() -> None:
    event_format = EventFormat(encode=lambda data: b"<%b>" % str(data).encode(), ping=b"\n", end=b"the end")
    body = body_of(messages_after_two_pings(event_format, "a"))
    assert body.startswith(b"data: <a>\n\n\n\n")
    assert body.endswith(b"\n\nthe end")


def test_events_may_have_their_type_for_a_name() -> None:
    async def produce(send: SendEvent) -> None:
        await send({"type": "start", "n": 1})

    body = body_of(messages_of(produce, EventFormat(is_named=True)))
    assert body == b'event: start\ndata: {"type":"start","n":1}\n\n'


def test_events_may_be_lines_of_json_without_empty_ones() -> None:
    sent = messages_after_two_pings(JSON_LINES, last={})
    assert (b"content-type", b"application/x-ndjson") in sent[0]["headers"]
    body = body_of(sent)
    assert body.startswith(b"  ")
    assert body.strip(b" ") == b"{}\n"


def test_client_that_goes_away_cancels_the_producer() -> None:
    ended: list[Any] = []

    async def produce(_: SendEvent) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_: Message) -> None: ...

    asyncio.run(EventStreamResponse(produce, {})({"type": "http"}, receive, send))
    assert ended == [True]
