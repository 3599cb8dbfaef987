"""What requests generate, and what their streams are told of it."""

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
"""Tokens that wait for others where nobody wants to see them one by one."""

StreamEvents = tuple[CompletionStream, Sequence[Event]]
"""Events for a stream; none is that its request was cancelled."""


@dataclass(slots=True)
class _PendingEvents:
    stream: CompletionStream
    max_held: int
    events: list[Event] = field(default_factory=list)


class _EventBuffer:
    """What is to be delivered. Waking up whoever reads a stream costs more than the token does that is told: requests
    that are not streamed get many at once."""

    def __init__(self) -> None:
        self._parcels: dict[int, _PendingEvents] = {}
        self._due: list[StreamEvents] = []

    def __bool__(self) -> bool:
        """Whether there are requests that were not told their last event."""
        return bool(self._parcels)

    @property
    def request_ids(self) -> list[int]:
        """Of those requests."""
        return list(self._parcels)

    def open(self, state: RequestState, stream: CompletionStream) -> None:
        """Deliver to `stream` what is told about a request."""
        self._parcels[state.request_id] = _PendingEvents(stream, 1 if state.request.is_streamed else _MAX_HELD)

    def append(self, request_id: int, event: Event) -> None:
        """Let the stream of a request have an event that is not its last."""
        parcel = self._parcels[request_id]
        parcel.events.append(event)
        if len(parcel.events) >= parcel.max_held:
            self._due.append((parcel.stream, parcel.events))
            parcel.events = []

    def close(self, request_id: int, last_event: Finished | Failed | None) -> None:
        """Let the stream of a request have its last event, or know that it was cancelled. Does nothing for one that
        had it already."""
        parcel = self._parcels.pop(request_id, None)
        if parcel:
            self._due.append((parcel.stream, [*parcel.events, last_event] if last_event else []))

    def n_unread(self, request_id: int) -> int:
        """Events that wait for whoever reads the stream of a request."""
        return self._parcels[request_id].stream.n_unread

    def drain(self) -> list[StreamEvents]:
        """What became due since the last call."""
        due, self._due = self._due, []
        return due


_MAX_UNREAD = 16_384
"""Events that may wait for a client to read them, where that is more than a slot has context."""


class OutputProcessor:
    """The requests that were not told their last event. Belongs to the engine's thread."""

    def __init__(self, n_ctx: int) -> None:
        """`n_ctx` is the most tokens of a slot."""
        self._buffer = _EventBuffer()
        self._generations: dict[int, Generation] = {}
        self._max_unread = max(_MAX_UNREAD, n_ctx)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._buffer)

    @property
    def request_ids(self) -> Sequence[int]:
        """Of the requests."""
        return self._buffer.request_ids

    def add_request(self, state: RequestState, stream: CompletionStream) -> None:
        """Deliver to `stream` what is told about a request."""
        self._buffer.open(state, stream)

    def drain_events(self) -> list[StreamEvents]:
        """What is to be delivered since the last call."""
        return self._buffer.drain()

    def attach_generation(self, generation: Generation) -> None:
        """Take in what generates the text of a request."""
        self._generations[generation.request_id] = generation

    def find_generation(self, request_id: int) -> Generation | None:
        """What generates the text of a request, from its first slot on."""
        return self._generations.get(request_id)

    def generation_of(self, slot: Slot) -> Generation:
        """What generates the text of the request in a slot that works."""
        assert slot.state
        return self._generations[slot.state.request_id]

    def finish(self, request_id: int, last_event: Finished | Failed | None) -> None:
        """Let go of a request; its stream gets its last event, or none if nobody listens any more."""
        self._generations.pop(request_id, None)
        self._buffer.close(request_id, last_event)

    def finish_slot(self, slot: Slot, last_event: Finished | Failed) -> None:
        """End the request in a slot, if there is one."""
        if slot.state:
            self.finish(slot.state.request_id, last_event)
            slot.release()

    def process_token(self, slot: Slot, choice: SampledToken | Exception, now: float, min_forced_tokens: int) -> None:
        """Tell what comes of a choice, and of the tokens that a grammar leaves no choice about after it, if those are
        at least `least_forced`. A choice that could not be made ends the request, as the end of its text does."""
        if isinstance(choice, EngineError):
            self.finish_slot(slot, Failed(choice))
            return
        if isinstance(choice, Exception):
            _log.error("a token could not be chosen", exc_info=choice)
            self.finish_slot(slot, Failed(internal_error()))
            return
        try:
            self._advance(slot, choice, now, min_forced_tokens)
        except EngineError as error:
            self.finish_slot(slot, Failed(error))

    def _advance(self, slot: Slot, choice: SampledToken, now: float, min_forced_tokens: int) -> None:
        generation = self.generation_of(slot)
        self._emit(slot, generation.advance(choice, now))
        is_bound = slot.state is not None and slot.state.request.grammar is not None
        # The token behind a full context is chosen alone: it ends the text, or is the reason for a shift.
        forced = generation.sampler.accept_forced(min_forced_tokens, slot.n_ctx_left) if is_bound else []
        for n_more, token in zip(reversed(range(len(forced))), forced, strict=True):
            if slot.state:
                self._emit(slot, generation.advance(SampledToken(token, None), now, n_more))
        if slot.state and (n_unread := self._buffer.n_unread(generation.request_id)) > self._max_unread:
            raise StepFailed(f"{n_unread} tokens wait for the client to read them")

    def _emit(self, slot: Slot, events: list[Event]) -> None:
        """Tell a request's stream what became of it; the last event frees the slot."""
        for event in events:
            if isinstance(event, Finished):
                self.finish_slot(slot, event)
            elif slot.state:
                self._buffer.append(slot.state.request_id, event)
