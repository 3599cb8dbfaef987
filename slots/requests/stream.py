"""The events of one request, on their way from the engine's thread to the event loop."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Self

from slots.requests.events import Event, Failed, Finished


class CompletionStream:
    """An async iterator of a request's events; it ends after Finished or Failed.

    Belongs to the event loop. What waits in it is bounded by the context: a request has no more tokens than that.
    """

    def __init__(self, n_prompt_tokens: int, cancel: Callable[[], None], release: Callable[[], None]) -> None:
        """`cancel` asks the engine to end the generation; `release` is called once, when nothing is left of it."""
        self.n_prompt_tokens = n_prompt_tokens
        """As many as fit: a prompt that is too long may have been cut."""
        self._cancel = cancel
        self._release = release
        self._events: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._is_over = False
        self._is_complete = False
        self._is_released = False

    @property
    def n_unread(self) -> int:
        """Events that wait to be read; may be called from any thread."""
        return len(self._events)

    def deliver(self, events: Sequence[Event]) -> None:
        """Add events, or none when the generation was cancelled; to be called on the event loop."""
        self._is_complete = not events or isinstance(events[-1], Finished | Failed)
        if self._is_complete and self._is_over:
            self._release_queue_slot()
        elif events:
            self._events.extend(events)
            self._arrived.set()

    def cancel(self) -> None:
        """Free the slot at the next step. Does nothing when the generation is over."""
        if self._is_over:
            return
        self._is_over = True
        self._arrived.set()
        if self._is_complete:
            self._release_queue_slot()
        else:
            self._cancel()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._is_over:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        event = self._events.popleft()
        if isinstance(event, Finished | Failed):
            self._is_over = True
            self._release_queue_slot()
        return event

    def _release_queue_slot(self) -> None:
        if not self._is_released:
            self._is_released = True
            self._release()
