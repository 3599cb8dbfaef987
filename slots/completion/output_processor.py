"""Output processor: turns sampled tokens into events for each request's stream.

token --> Generation.advance --> Token, ..., Finished --> held per request --> drain_events --> stream of the request
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from slots.completion.generation import Generation
from slots.errors import EngineError, StepFailed, internal_error
from slots.requests.events import Event, Failed, Finished
from slots.requests.request_state import RequestState
from slots.requests.slot import Slot
from slots.requests.stream import CompletionStream
from slots.sampling import SampledToken

_log = logging.getLogger("slots")

_MAX_HELD = 32
"""Events to deliver at once if a request is not streamed: to wake up a reader costs more than to generate a token."""

_MAX_UNREAD = 16_384
"""Events that may wait for a client to read them; as many as a slot has context if that is more."""

StreamEvents = tuple[CompletionStream, Sequence[Event]]
"""Events for a stream; an empty sequence means that the request was cancelled."""


@dataclass(slots=True)
class _Output:
    stream: CompletionStream
    max_held: int
    events: list[Event] = field(default_factory=list)
    generation: Generation | None = None  # until the first slot


class OutputProcessor:
    """Holds every request whose final event has not been emitted yet. Engine thread only."""

    def __init__(self, n_ctx: int) -> None:
        self._outputs: dict[int, _Output] = {}
        self._due: list[StreamEvents] = []
        self._max_unread = max(_MAX_UNREAD, n_ctx)

    def __bool__(self) -> bool:
        return bool(self._outputs)

    @property
    def request_ids(self) -> list[int]:
        return list(self._outputs)

    def add_request(self, state: RequestState, stream: CompletionStream) -> None:
        self._outputs[state.request_id] = _Output(stream, 1 if state.request.is_streamed else _MAX_HELD)

    def attach_generation(self, generation: Generation) -> None:
        self._outputs[generation.state.request_id].generation = generation

    def find_generation(self, request_id: int) -> Generation | None:
        return self._outputs[request_id].generation

    def generation_of(self, slot: Slot) -> Generation:
        generation = self._outputs[slot.state.request_id].generation if slot.state else None
        assert generation
        return generation

    def process_token(self, slot: Slot, choice: SampledToken | Exception, now: float, min_forced_tokens: int) -> None:
        """Emit the events of a sampled token, and of the tokens that a grammar forces after it if those are at least
        `min_forced_tokens`. The end of the text frees the slot, as does an error: the reason why none was sampled."""
        if isinstance(choice, EngineError):
            self.finish_slot(slot, Failed(choice))
            return
        if isinstance(choice, Exception):
            _log.error("a token could not be sampled", exc_info=choice)
            self.finish_slot(slot, Failed(internal_error()))
            return
        try:
            self._advance(slot, choice, now, min_forced_tokens)
        except EngineError as error:
            self.finish_slot(slot, Failed(error))

    def _advance(self, slot: Slot, choice: SampledToken, now: float, min_forced_tokens: int) -> None:
        assert slot.state
        request_id, generation = slot.state.request_id, self.generation_of(slot)
        self._emit(slot, generation.advance(choice, now))
        has_grammar = slot.state is not None and slot.state.request.grammar is not None
        # The token after a full context is sampled alone: it ends the text, or is the reason for a context shift.
        forced = generation.sampler.accept_forced(min_forced_tokens, slot.n_ctx_left) if has_grammar else []
        for n_more, token in zip(reversed(range(len(forced))), forced, strict=True):
            if slot.state:
                self._emit(slot, generation.advance(SampledToken(token, None), now, n_more))
        if slot.state and (n_unread := self._outputs[request_id].stream.n_unread) > self._max_unread:
            raise StepFailed(f"{n_unread} tokens wait for the client to read them")

    def _emit(self, slot: Slot, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Finished):
                self.finish_slot(slot, event)
            elif slot.state:
                self.emit(slot.state.request_id, event)

    def emit(self, request_id: int, event: Event) -> None:
        """Queue an event that is not the last one of its request."""
        output = self._outputs[request_id]
        output.events.append(event)
        if len(output.events) >= output.max_held:
            self._due.append((output.stream, output.events))
            output.events = []

    def finish_slot(self, slot: Slot, last_event: Finished | Failed) -> None:
        """End the request in a slot, if there is one, and free the slot."""
        if slot.state:
            self.finish(slot.state.request_id, last_event)
            slot.release()

    def finish(self, request_id: int, last_event: Finished | Failed | None) -> None:
        """Queue the last event of a request, None if it was cancelled. Does nothing after its last event."""
        output = self._outputs.pop(request_id, None)
        if output:
            self._due.append((output.stream, [*output.events, last_event] if last_event else []))

    def drain_events(self) -> list[StreamEvents]:
        due, self._due = self._due, []
        return due
