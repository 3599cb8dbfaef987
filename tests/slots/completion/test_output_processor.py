from slots.completion.output_processor import OutputProcessor, StreamEvents
from slots.errors import StepFailed
from slots.metrics.engine_stats import EngineStats
from slots.requests.events import EngineEvent, Failed, TokenBytes
from slots.requests.request import CompletionRequest
from slots.requests.request_state import RequestState
from slots.requests.stream import CompletionStream

FAILED = Failed(StepFailed("for the test"))


def token(number: int) -> TokenBytes:
    return number, b"a", 0, None, None, False


def make_output(*, is_streamed: bool) -> tuple[OutputProcessor, CompletionStream]:
    """Returns an output processor with one request, of id 7, and its stream."""
    output = OutputProcessor(n_ctx=256, stats=EngineStats())
    stream = CompletionStream(1, cancel=lambda: None, release=lambda: None)
    output.add_request(RequestState(CompletionRequest((1,), is_streamed=is_streamed), 7), stream)
    return output, stream


def emit_tokens(output: OutputProcessor, n_tokens: int) -> list[TokenBytes]:
    events = [token(number) for number in range(n_tokens)]
    for event in events:
        output.emit(7, event)
    return events


def without_streams(due: list[StreamEvents]) -> list[list[EngineEvent]]:
    return [list(events) for _stream, events in due]


def test_tokens_of_a_stream_are_due_at_once() -> None:
    output, stream = make_output(is_streamed=True)
    events = emit_tokens(output, 2)
    assert output.drain_events() == [(stream, [events[0]]), (stream, [events[1]])]
    assert output.drain_events() == []


def test_tokens_that_nobody_waits_for_come_many_at_a_time() -> None:
    output, _stream = make_output(is_streamed=False)
    events = emit_tokens(output, 70)
    assert without_streams(output.drain_events()) == [events[:32], events[32:64]]


def test_the_last_event_brings_the_tokens_that_were_held() -> None:
    output, _stream = make_output(is_streamed=False)
    events = emit_tokens(output, 3)
    output.finish(7, FAILED)
    assert without_streams(output.drain_events()) == [[*events, FAILED]]
    assert not output


def test_of_a_cancelled_request_only_that_is_reported() -> None:
    output, stream = make_output(is_streamed=False)
    emit_tokens(output, 3)
    output.finish(7, None)
    assert output.drain_events() == [(stream, [])]


def test_a_request_is_closed_once() -> None:
    output, _stream = make_output(is_streamed=True)
    assert output
    assert output.request_ids == [7]
    output.finish(7, FAILED)
    output.finish(7, FAILED)
    assert without_streams(output.drain_events()) == [[FAILED]]
