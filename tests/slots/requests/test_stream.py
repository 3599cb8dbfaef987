"""CompletionStream: bytes become the text of tokens, on the event loop."""

import asyncio

from slots.requests.events import Finished, StopReason, Timings, Token, TokenBytes
from slots.requests.stream import CompletionStream

FINISHED = Finished(StopReason.LIMIT, "", False, False, 0, 1, 1, Timings(0, 1, 1.0, 1, 1.0, 0, 0))


def token(data: bytes, *, is_last: bool = False) -> TokenBytes:
    return 7, data, 0, None, None, is_last


def make_stream() -> CompletionStream:
    return CompletionStream(1, cancel=lambda: None, release=lambda: None)


async def texts_of(stream: CompletionStream) -> list[str]:
    return [event.text async for event in stream if isinstance(event, Token)]


def test_a_character_is_shown_when_it_is_complete() -> None:
    stream = make_stream()
    stream.deliver([token("é".encode()[:1]), token("é".encode()[1:] + b"t"), token(b"e", is_last=True), FINISHED])
    assert asyncio.run(texts_of(stream)) == ["", "ét", "e"]


def test_a_character_that_is_never_completed_turns_into_the_replacement_character() -> None:
    stream = make_stream()
    stream.deliver([token("😀".encode()[:3], is_last=True), FINISHED])
    assert asyncio.run(texts_of(stream)) == ["\ufffd"]


def test_a_reader_wakes_up_for_events_and_for_the_end() -> None:
    async def read_slowly() -> list[str]:
        stream = make_stream()
        reading = asyncio.create_task(texts_of(stream))
        for data in (b"a", b"b"):
            await asyncio.sleep(0)
            stream.deliver([token(data)])
        await asyncio.sleep(0)
        stream.deliver([token(b"c", is_last=True), FINISHED])
        return await reading

    assert asyncio.run(read_slowly()) == ["a", "b", "c"]


def test_a_cancelled_stream_ends() -> None:
    async def cancel_while_reading() -> list[str]:
        stream = make_stream()
        reading = asyncio.create_task(texts_of(stream))
        await asyncio.sleep(0)
        stream.cancel()
        return await reading

    assert asyncio.run(cancel_while_reading()) == []
