"""ProgressReporter: tells the requests that ask for it where they are in the queue, and how much of their prompts is
computed."""

from collections.abc import Sequence

from slots.completion.output_processor import OutputProcessor
from slots.requests.events import PromptProgress, QueuePlace
from slots.requests.request_state import RequestState
from slots.requests.slot import Slot

MIN_QUEUE_REPORT_SECONDS = 0.5
"""Between two reports of a place in the queue."""


class ProgressReporter:
    """Engine thread only. Times are in seconds."""

    def __init__(self, slots: Sequence[Slot], output: OutputProcessor) -> None:
        self._slots = slots
        self._output = output

    def report_queue(self, waiting: Sequence[RequestState], now: float) -> None:
        """Tell those that never had a slot their places, the first one of which is 1."""
        for position, state in enumerate(waiting, 1):
            if state.request.reports_progress and state.slot_id < 0 and now >= state.next_queue_report:
                state.next_queue_report = now + MIN_QUEUE_REPORT_SECONDS
                self._output.emit(state.request_id, QueuePlace(position, 1000 * max(now - state.queued_at, 0.0)))

    def report_prompts(self, now: float) -> None:
        """Tell those in prefill how much is computed, if that has changed; the first time it is what was cached."""
        for slot in self._slots:
            state = slot.state
            if state is None or not state.request.reports_progress or state.n_decoded > 0:
                continue
            n_processed = min(len(slot.cached), state.n_prompt)
            if n_processed > state.n_reported:
                state.n_reported = n_processed
                n_cached = max(n_processed - state.n_prompt_computed, 0)
                timings = state.timings(now) if state.request.timings_per_token else None
                time_ms = state.prefill_ms(now)
                progress = PromptProgress(state.n_prompt, n_cached, n_processed, time_ms, slot.slot_id, timings)
                self._output.emit(state.request_id, progress)
