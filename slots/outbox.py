"""The events of requests on their way out of the engine's thread."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from slots.requests.events import Event, Failed, Finished
from slots.requests.request_state import Work
from slots.requests.stream import CompletionStream

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
