"""Completion stream: the events of one request, on the event loop."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Self

from slots.requests.events import Event, Failed, Finished


class CompletionStream:
    """An async iterator over a request's events, which ends after Finished or Failed. Event loop only."""

    def __init__(self, n_prompt_tokens: int, cancel: Callable[[], None], release: Callable[[], None]) -> None:
        """`release` is called once: when the last event is read, or the engine has confirmed the cancellation."""
        self.n_prompt_tokens = n_prompt_tokens
        """Of the prompt as it is computed, truncated if it did not fit."""
        self._cancel = cancel
        self._release = release
        self._events: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._is_over = False
        self._is_complete = False
        self._is_released = False

    @property
    def n_unread(self) -> int:
        return len(self._events)

    def deliver(self, events: Sequence[Event]) -> None:
        """Add events; none means that the generation was cancelled."""
        self._is_complete = not events or isinstance(events[-1], Finished | Failed)
        if self._is_complete and self._is_over:
            self._release_queue_slot()
        elif events:
            self._events.extend(events)
            self._arrived.set()

    def cancel(self) -> None:
        """Free the slot at the next step. Does nothing after the last event."""
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
