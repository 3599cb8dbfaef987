"""What requests generate, and what their streams are told of it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from slots.completion.generation import Generation
from slots.errors import EngineError, StepFailed, internal_error
from slots.requests.events import Event, Failed, Finished
from slots.requests.request_state import Work
from slots.requests.slot import Slot
from slots.requests.stream import CompletionStream
from slots.sampling import Choice

_log = logging.getLogger("slots")

_MOST_HELD = 32
"""Tokens that wait for others where nobody wants to see them one by one."""

Delivery = tuple[CompletionStream, Sequence[Event]]
"""Events for a stream; none is that its request was cancelled."""


@dataclass(slots=True)
class _Parcel:
    stream: CompletionStream
    most_held: int
    held: list[Event] = field(default_factory=list)


class Outbox:
    """What is to be delivered. Waking up whoever reads a stream costs more than the token does that is told: requests
    that are not streamed get many at once."""

    def __init__(self) -> None:
        self._parcels: dict[int, _Parcel] = {}
        self._due: list[Delivery] = []

    def __bool__(self) -> bool:
        """Whether there are requests that were not told their last event."""
        return bool(self._parcels)

    @property
    def numbers(self) -> list[int]:
        """Of those requests."""
        return list(self._parcels)

    def open(self, work: Work, stream: CompletionStream) -> None:
        """Deliver to `stream` what is told about a request."""
        self._parcels[work.number] = _Parcel(stream, 1 if work.request.is_streamed else _MOST_HELD)

    def tell(self, number: int, event: Event) -> None:
        """Let the stream of a request have an event that is not its last."""
        parcel = self._parcels[number]
        parcel.held.append(event)
        if len(parcel.held) >= parcel.most_held:
            self._due.append((parcel.stream, parcel.held))
            parcel.held = []

    def close(self, number: int, last_event: Finished | Failed | None) -> None:
        """Let the stream of a request have its last event, or know that it was cancelled. Does nothing for one that
        had it already."""
        parcel = self._parcels.pop(number, None)
        if parcel:
            self._due.append((parcel.stream, [*parcel.held, last_event] if last_event else []))

    def n_unread(self, number: int) -> int:
        """Events that wait for whoever reads the stream of a request."""
        return self._parcels[number].stream.n_unread

    def take(self) -> list[Delivery]:
        """What became due since the last call."""
        due, self._due = self._due, []
        return due


_MOST_UNREAD = 16_384
"""Events that may wait for a client to read them, where that is more than a slot has context."""


class Told:
    """The requests that were not told their last event. Belongs to the engine's thread."""

    def __init__(self, n_ctx: int) -> None:
        """`n_ctx` is the most tokens of a slot."""
        self._outbox = Outbox()
        self._generations: dict[int, Generation] = {}
        self._most_unread = max(_MOST_UNREAD, n_ctx)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._outbox)

    @property
    def numbers(self) -> Sequence[int]:
        """Of the requests."""
        return self._outbox.numbers

    def open(self, work: Work, stream: CompletionStream) -> None:
        """Deliver to `stream` what is told about a request."""
        self._outbox.open(work, stream)

    def take_deliveries(self) -> list[Delivery]:
        """What is to be delivered since the last call."""
        return self._outbox.take()

    def begin(self, generation: Generation) -> None:
        """Take in what generates the text of a request."""
        self._generations[generation.number] = generation

    def generation(self, number: int) -> Generation | None:
        """What generates the text of a request, from its first slot on."""
        return self._generations.get(number)

    def generation_in(self, slot: Slot) -> Generation:
        """What generates the text of the request in a slot that works."""
        assert slot.work
        return self._generations[slot.work.number]

    def end(self, number: int, last_event: Finished | Failed | None) -> None:
        """Let go of a request; its stream gets its last event, or none if nobody listens any more."""
        self._generations.pop(number, None)
        self._outbox.close(number, last_event)

    def release(self, slot: Slot, last_event: Finished | Failed) -> None:
        """End the request in a slot, if there is one."""
        if slot.work:
            self.end(slot.work.number, last_event)
            slot.release()

    def take(self, slot: Slot, choice: Choice | Exception, now: float, least_forced: int) -> None:
        """Tell what comes of a choice, and of the tokens that a grammar leaves no choice about after it, if those are
        at least `least_forced`. A choice that could not be made ends the request, as the end of its text does."""
        if isinstance(choice, EngineError):
            self.release(slot, Failed(choice))
            return
        if isinstance(choice, Exception):
            _log.error("a token could not be chosen", exc_info=choice)
            self.release(slot, Failed(internal_error()))
            return
        try:
            self._go_on(slot, choice, now, least_forced)
        except EngineError as error:
            self.release(slot, Failed(error))

    def _go_on(self, slot: Slot, choice: Choice, now: float, least_forced: int) -> None:
        generation = self.generation_in(slot)
        self._tell(slot, generation.advance(choice, now))
        is_bound = slot.work is not None and slot.work.request.grammar is not None
        # The token behind a full context is chosen alone: it ends the text, or is the reason for a shift.
        forced = generation.sampler.take_forced(least_forced, slot.n_room) if is_bound else []
        for n_more, token in zip(reversed(range(len(forced))), forced, strict=True):
            if slot.work:
                self._tell(slot, generation.advance(Choice(token, None), now, n_more))
        if slot.work and (n_unread := self._outbox.n_unread(generation.number)) > self._most_unread:
            raise StepFailed(f"{n_unread} tokens wait for the client to read them")

    def _tell(self, slot: Slot, events: list[Event]) -> None:
        """Tell a request's stream what became of it; the last event frees the slot."""
        for event in events:
            if isinstance(event, Finished):
                self.release(slot, event)
            elif slot.work:
                self._outbox.tell(slot.work.number, event)
