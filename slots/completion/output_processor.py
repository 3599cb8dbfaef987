"""Output processor: turns sampled tokens into events for each request's stream.

token --> Generation.advance --> TokenBytes, ..., Finished --> held per request --> drain_events --> stream of it
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from slots.completion.generation import Generation
from slots.errors import EngineError, StepFailed, internal_error
from slots.metrics.engine_stats import EngineStats
from slots.requests.events import EngineEvent, Failed, Finished, Progress, TokenBytes
from slots.requests.request_state import RequestState
from slots.requests.slot import Slot
from slots.requests.stream import CompletionStream
from slots.sampling import SampledToken

_log = logging.getLogger("slots")

_MAX_HELD = 32
"""Events to deliver at once if a request is not streamed: to wake up a reader costs more than to generate a token."""

_MAX_UNREAD = 16_384
"""Events that may wait for a client to read them; as many as a slot has context if that is more."""

StreamEvents = tuple[CompletionStream, Sequence[EngineEvent]]
"""Events for a stream; an empty sequence means that the request was cancelled."""


@dataclass(slots=True)
class _Output:
    state: RequestState
    stream: CompletionStream
    max_held: int
    events: list[EngineEvent] = field(default_factory=list)
    generation: Generation | None = None  # until the first slot


class OutputProcessor:
    """Holds every request whose final event has not been emitted yet. Engine thread only."""

    def __init__(self, n_ctx: int, stats: EngineStats) -> None:
        self._stats = stats
        self._outputs: dict[int, _Output] = {}
        self._due: list[StreamEvents] = []
        self._max_unread = max(_MAX_UNREAD, n_ctx)

    def __bool__(self) -> bool:
        return bool(self._outputs)

    @property
    def request_ids(self) -> list[int]:
        return list(self._outputs)

    def add_request(self, state: RequestState, stream: CompletionStream) -> None:
        self._outputs[state.request_id] = _Output(state, stream, 1 if state.request.is_streamed else _MAX_HELD)

    def attach_generation(self, generation: Generation) -> None:
        self._outputs[generation.state.request_id].generation = generation

    def find_generation(self, request_id: int) -> Generation | None:
        return self._outputs[request_id].generation

    def generation_of(self, slot: Slot) -> Generation:
        generation = self._outputs[slot.state.request_id].generation if slot.state else None
        assert generation
        return generation

    def process_token(
        self,
        slot: Slot,
        generation: Generation,
        choice: SampledToken | Exception,
        now: float,
        min_forced_tokens: Callable[[], int],
    ) -> None:
        """Emit the event of a sampled token, and of the tokens that a grammar forces after it if those are at least
        `min_forced_tokens`. The end of the text frees the slot, as does an error: the reason why none was sampled."""
        if isinstance(choice, Exception):
            self._fail(slot, choice)
            return
        try:
            self._emit(slot, *generation.advance(choice, now))
            if generation.has_grammar and slot.state:
                self._advance_forced(slot, generation, now, min_forced_tokens())
        except EngineError as error:
            self._fail(slot, error)

    def _fail(self, slot: Slot, error: Exception) -> None:
        if not isinstance(error, EngineError):
            _log.error("a token could not be sampled", exc_info=error)
            error = internal_error()
        self.finish_slot(slot, Failed(error))

    def _advance_forced(self, slot: Slot, generation: Generation, now: float, min_tokens: int) -> None:
        # The token after a full context is sampled alone: it ends the text, or is the reason for a context shift.
        forced = generation.sampler.accept_forced(min_tokens, slot.n_ctx_left)
        for n_more, token in zip(reversed(range(len(forced))), forced, strict=True):
            if slot.state:
                self._emit(slot, *generation.advance(SampledToken(token, None), now, n_more))

    def _emit(self, slot: Slot, token: TokenBytes, finished: Finished | None) -> None:
        assert slot.state
        self._stats.generated_tokens += 1
        self.emit(slot.state.request_id, token)
        if finished is not None:
            self.finish_slot(slot, finished)

    def emit(self, request_id: int, event: TokenBytes | Progress) -> None:
        """Queue an event that is not the last one of its request. Raises StepFailed if too many wait to be read."""
        output = self._outputs[request_id]
        output.events.append(event)
        if len(output.events) < output.max_held:
            return
        self._due.append((output.stream, output.events))
        output.events = []
        if output.stream.n_unread > self._max_unread:
            raise StepFailed(f"{output.stream.n_unread} tokens wait for the client to read them")

    def finish_slot(self, slot: Slot, last_event: Finished | Failed) -> None:
        """End the request in a slot, if there is one, and free the slot."""
        if slot.state:
            self.finish(slot.state.request_id, last_event)
            slot.release()

    def finish(self, request_id: int, last_event: Finished | Failed | None) -> None:
        """Queue the last event of a request, None if it was cancelled. Does nothing after its last event."""
        output = self._outputs.pop(request_id, None)
        if output:
            self._stats.record_end(output.state, _why_ended(last_event), time.perf_counter())
            self._due.append((output.stream, [*output.events, last_event] if last_event else []))

    def drain_events(self) -> list[StreamEvents]:
        due, self._due = self._due, []
        return due


def _why_ended(last_event: Finished | Failed | None) -> str:
    """Returns one of FINISH_REASONS."""
    if last_event is None:
        return "cancelled"
    return last_event.reason if isinstance(last_event, Finished) else "failed"
