"""Completion stream: the events of one request, on the event loop."""

import asyncio
import codecs
from collections import deque
from collections.abc import Callable, Sequence
from typing import Self

from slots.requests.events import EngineEvent, Event, Token


class CompletionStream:
    """An async iterator over a request's events, which ends after Finished or Failed. Event loop only.

    Bytes become text here and not in the engine's thread, so that the next step does not wait for it. An incomplete
    character is held back; a byte that cannot become valid turns into U+FFFD.
    """

    def __init__(self, n_prompt_tokens: int, cancel: Callable[[], None], release: Callable[[], None]) -> None:
        """`release` is called once: when the last event is read, or the engine has confirmed the cancellation."""
        self.n_prompt_tokens = n_prompt_tokens
        """Of the prompt as it is computed, truncated if it did not fit."""
        self._cancel = cancel
        self._release = release
        self._events: deque[EngineEvent] = deque()
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._arrival: asyncio.Future[None] | None = None
        """What the reader waits for, if it waits."""
        self._is_over = False
        self._is_complete = False
        self._is_released = False

    @property
    def n_unread(self) -> int:
        return len(self._events)

    def deliver(self, events: Sequence[EngineEvent]) -> None:
        """Add events; none means that the generation was cancelled."""
        self._is_complete = not events or not isinstance(events[-1], tuple)
        if self._is_complete and self._is_over:
            self._release_queue_slot()
        elif events:
            self._events.extend(events)
            self._wake_reader()

    def cancel(self) -> None:
        """Free the slot at the next step. Does nothing after the last event."""
        if self._is_over:
            return
        self._is_over = True
        self._wake_reader()
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
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
        event = self._events.popleft()
        if isinstance(event, tuple):
            token, data, slot_id, logprobs, timings, is_last = event
            return Token(token, self._decode(data, is_last), slot_id, logprobs, timings, is_last)
        self._is_over = True
        self._release_queue_slot()
        return event

    def _wake_reader(self) -> None:
        arrival, self._arrival = self._arrival, None
        if arrival is not None and not arrival.done():  # it is done if its reader was cancelled
            arrival.set_result(None)

    def _release_queue_slot(self) -> None:
        if not self._is_released:
            self._is_released = True
            self._release()
