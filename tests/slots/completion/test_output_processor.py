from slots.completion.output_processor import StreamEvents, _EventBuffer
from slots.errors import StepFailed
from slots.requests.events import Event, Failed, Token
from slots.requests.request import CompletionRequest
from slots.requests.request_state import RequestState
from slots.requests.stream import CompletionStream

FAILED = Failed(StepFailed("for the test"))


def token(number: int) -> Token:
    return Token(number, "a", slot_id=0, logprobs=None, timings=None)


def open_buffer(*, is_streamed: bool) -> tuple[_EventBuffer, CompletionStream]:
    """Returns an outbox with one request, number 7, and its stream."""
    outbox = _EventBuffer()
    stream = CompletionStream(1, cancel=lambda: None, release=lambda: None)
    outbox.open(RequestState(CompletionRequest((1,), is_streamed=is_streamed), 7), stream)
    return outbox, stream


def append_tokens(outbox: _EventBuffer, n_tokens: int) -> list[Event]:
    told: list[Event] = [token(number) for number in range(n_tokens)]
    for event in told:
        outbox.append(7, event)
    return told


def events_of(deliveries: list[StreamEvents]) -> list[list[Event]]:
    return [list(events) for _stream, events in deliveries]


def test_tokens_of_a_stream_are_due_at_once() -> None:
    outbox, stream = open_buffer(is_streamed=True)
    told = append_tokens(outbox, 2)
    assert outbox.drain() == [(stream, [told[0]]), (stream, [told[1]])]
    assert outbox.drain() == []


def test_tokens_that_nobody_waits_for_come_many_at_a_time() -> None:
    outbox, _stream = open_buffer(is_streamed=False)
    told = append_tokens(outbox, 70)
    assert events_of(outbox.drain()) == [told[:32], told[32:64]]


def test_the_last_event_brings_the_tokens_that_were_held() -> None:
    outbox, _stream = open_buffer(is_streamed=False)
    told = append_tokens(outbox, 3)
    outbox.close(7, FAILED)
    assert events_of(outbox.drain()) == [[*told, FAILED]]
    assert not outbox


def test_of_a_cancelled_request_only_that_is_told() -> None:
    outbox, stream = open_buffer(is_streamed=False)
    append_tokens(outbox, 3)
    outbox.close(7, None)
    assert outbox.drain() == [(stream, [])]


def test_a_request_is_closed_once() -> None:
    outbox, _stream = open_buffer(is_streamed=True)
    assert outbox
    assert outbox.request_ids == [7]
    outbox.close(7, FAILED)
    outbox.close(7, FAILED)
    assert events_of(outbox.drain()) == [[FAILED]]
