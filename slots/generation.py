"""One request on its slot: from rows of logits to events, and when to stop."""

from slots.events import Event, Finished, StopReason, Timings, Token
from slots.llama import Vocab
from slots.request import CompletionRequest
from slots.sampling import Choice, Sampler
from slots.slot import Slot
from slots.stream import CompletionStream
from slots.text import TextAssembler

_MOST_BYTES_MISSING = 3
"""Of a character in UTF-8 whose first byte is there."""


class Generation:
    """Chooses a slot's next tokens and says what its stream is told about them. Times are in seconds."""

    def __init__(
        self, slot: Slot, request: CompletionRequest, stream: CompletionStream, vocab: Vocab, sampler: Sampler
    ) -> None:
        """To be made when the slot has just taken the request."""
        self.slot = slot
        self.stream = stream
        self._request = request
        self._vocab = vocab
        self._n_reused = len(slot.cached)
        self._text = TextAssembler(request.stop, request.n_indent)
        self.sampler = sampler
        self._n_decoded = 0
        self._started: float | None = None
        self._prefilled: float | None = None

    @property
    def wants_tokens(self) -> bool:
        """Whether it generates at all, or only has its prompt evaluated."""
        return self._request.n_predict != 0

    def start_clock(self, now: float) -> None:
        """Note the time at which the first step with this request begins."""
        if self._started is None:
            self._started = now

    def end_prefill(self, now: float) -> None:
        """Note the time at which the prompt has been computed."""
        if self._prefilled is None:
            self._prefilled = now

    def advance(self, choice: Choice, now: float) -> list[Event]:
        """Take in the token that was chosen; `now` is the time of the choice.

        Returns the events for the stream; the last one is Finished when the generation is over.
        """
        ends = choice.token in self._vocab.end_of_generation
        self._n_decoded += 1
        self.slot.tokens.append(choice.token)
        text = "" if ends else self._text.feed(self._vocab.text_of(choice.token))
        reason = StopReason.EOS if ends else self._reason_to_stop()
        if reason is None and "\n" in text and self._is_out_of_time(now):
            reason = StopReason.LIMIT
        if reason is not None:
            text += self._text.flush()
        if self._text.stopping_word:
            reason = StopReason.WORD
        self._note_progress()
        timings = self._timings(now) if self._request.timings_per_token else None
        events: list[Event] = [Token(choice.token, text, self.slot.slot_id, choice.probabilities, timings)]
        if reason is not None:
            events.append(self.finish(reason, now))
        return events

    def finish(self, reason: StopReason, now: float) -> Finished:
        """The last event of a generation that ends now."""
        return Finished(
            reason=reason,
            stopping_word=self._text.stopping_word,
            truncated=self._is_context_full,
            has_new_line=self._text.has_new_line,
            slot_id=self.slot.slot_id,
            seed=self.sampler.seed,
            n_prompt_tokens=len(self._request.prompt),
            timings=self._timings(now),
        )

    def _timings(self, now: float) -> Timings:
        started = now if self._started is None else self._started
        prefilled = now if self._prefilled is None else self._prefilled
        return Timings(
            cached_n=self._n_reused,
            prompt_n=len(self._request.prompt) - self._n_reused,
            prompt_ms=1000 * (prefilled - started),
            predicted_n=self._n_decoded,
            predicted_ms=1000 * (now - prefilled),
        )

    def _reason_to_stop(self) -> StopReason | None:
        """A limit waits for the end of a character; the end of the context cannot wait."""
        if self._text.stopping_word:
            return StopReason.WORD
        n_beyond = self._n_decoded - self._request.n_predict
        waits = self._text.is_mid_character and n_beyond < _MOST_BYTES_MISSING
        is_at_limit = self._request.n_predict >= 0 and n_beyond >= 0
        if self._is_context_full or self._text.is_outdented or (is_at_limit and not waits):
            return StopReason.LIMIT
        return None

    def _is_out_of_time(self, now: float) -> bool:
        limit = self._request.t_max_predict_ms
        return limit > 0 and self._prefilled is not None and 1000 * (now - self._prefilled) > limit

    @property
    def _is_context_full(self) -> bool:
        return len(self.slot.tokens) > self.slot.n_ctx

    def _note_progress(self) -> None:
        if self.slot.work is not None:
            self.slot.work.n_decoded = self._n_decoded
            self.slot.work.has_new_line = self._text.has_new_line
