from slots.completion.output_processor import Delivery, Outbox
from slots.errors import StepFailed
from slots.requests.events import Event, Failed, Token
from slots.requests.request import CompletionRequest
from slots.requests.request_state import Work
from slots.requests.stream import CompletionStream

FAILED = Failed(StepFailed("for the test"))


def token(number: int) -> Token:
    return Token(number, "a", slot_id=0, probabilities=None, timings=None)


def opened(*, is_streamed: bool) -> tuple[Outbox, CompletionStream]:
    """Returns an outbox with one request, number 7, and its stream."""
    outbox = Outbox()
    stream = CompletionStream(1, cancel=lambda: None, release=lambda: None)
    outbox.open(Work(CompletionRequest((1,), is_streamed=is_streamed), 7), stream)
    return outbox, stream


def tell(outbox: Outbox, n_tokens: int) -> list[Event]:
    told: list[Event] = [token(number) for number in range(n_tokens)]
    for event in told:
        outbox.tell(7, event)
    return told


def events_of(deliveries: list[Delivery]) -> list[list[Event]]:
    return [list(events) for _stream, events in deliveries]


def test_tokens_of_a_stream_are_due_at_once() -> None:
    outbox, stream = opened(is_streamed=True)
    told = tell(outbox, 2)
    assert outbox.take() == [(stream, [told[0]]), (stream, [told[1]])]
    assert outbox.take() == []


def test_tokens_that_nobody_waits_for_come_many_at_a_time() -> None:
    outbox, _stream = opened(is_streamed=False)
    told = tell(outbox, 70)
    assert events_of(outbox.take()) == [told[:32], told[32:64]]


def test_the_last_event_brings_the_tokens_that_were_held() -> None:
    outbox, _stream = opened(is_streamed=False)
    told = tell(outbox, 3)
    outbox.close(7, FAILED)
    assert events_of(outbox.take()) == [[*told, FAILED]]
    assert not outbox


def test_of_a_cancelled_request_only_that_is_told() -> None:
    outbox, stream = opened(is_streamed=False)
    tell(outbox, 3)
    outbox.close(7, None)
    assert outbox.take() == [(stream, [])]


def test_a_request_is_closed_once() -> None:
    outbox, _stream = opened(is_streamed=True)
    assert outbox
    assert outbox.numbers == [7]
    outbox.close(7, FAILED)
    outbox.close(7, FAILED)
    assert events_of(outbox.take()) == [[FAILED]]
