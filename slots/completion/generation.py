"""The text of one request: from tokens to events, and when to stop."""

from collections.abc import Sequence

from slots.completion.detokenizer import Detokenizer
from slots.llama import Vocab
from slots.requests.events import Event, Finished, StopReason, Timings, Token
from slots.requests.request_state import RequestState
from slots.sampling import SampledToken, Sampler

_MAX_BYTES_MISSING = 3
"""Of a character in UTF-8 whose first byte is there."""


class Generation:
    """Chooses the next tokens and says what is told about them. It outlives the slot. Times are in seconds."""

    def __init__(self, state: RequestState, vocab: Vocab, sampler: Sampler, n_ctx: int | None) -> None:
        """`n_ctx` is the number of tokens after which there is no room for more; None if room is made."""
        self.slot_id = -1
        """The slot that it is in."""
        self.request_id = state.request_id
        """Of the request."""
        self._state = state
        self._request = state.request
        self._vocab = vocab
        self._n_ctx = n_ctx
        self._text = Detokenizer(state.request.stop, state.request.n_indent)
        self.sampler = sampler
        self._n_decoded = 0
        self._draft: Sequence[int] = ()
        self._n_drafted = 0
        self._n_draft_accepted = 0
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

    def set_draft(self, draft: Sequence[int]) -> None:
        """Note the tokens that were guessed to come next."""
        self._draft = draft
        self._n_drafted += len(draft)

    def advance(self, choice: SampledToken, now: float, n_more: int = 0) -> list[Event]:
        """Take in the token that was chosen; `now` is the time of the choice. The sampler is already `n_more` tokens
        ahead, which a grammar leaves no choice about.

        Returns the events for the stream; the last one is Finished when the generation is over.
        """
        ends = choice.token in self._vocab.end_of_generation
        self._n_decoded += 1
        self._count_accepted(choice.token)
        self._state.tokens.append(choice.token)
        text = "" if ends else self._text.feed(self._token_bytes(choice.token))
        reason = StopReason.EOS if ends else self._reason_to_stop()
        if reason is not StopReason.WORD and not ends and not n_more and self.sampler.is_grammar_over:
            reason = StopReason.EOS
        if reason is None and "\n" in text and self._is_out_of_time(now):
            reason = StopReason.LIMIT
        if reason is not None:
            text += self._text.flush()
        if self._text.stopping_word:
            reason = StopReason.WORD
        self._update_state()
        timings = self._timings(now) if self._request.timings_per_token else None
        events: list[Event] = [Token(choice.token, text, self.slot_id, choice.logprobs, timings)]
        if reason is not None:
            events.append(self.finish(reason, now))
        return events

    def finish(self, reason: StopReason, now: float) -> Finished:
        """The last event of a generation that ends now."""
        return Finished(
            reason=reason,
            stopping_word=self._text.stopping_word,
            truncated=self._state.truncated or self._is_context_full,
            has_new_line=self._text.has_new_line,
            slot_id=self.slot_id,
            seed=self.sampler.seed,
            n_prompt_tokens=len(self._request.prompt),
            timings=self._timings(now),
        )

    def _count_accepted(self, token: int) -> None:
        is_right = bool(self._draft) and token == self._draft[0]
        self._n_draft_accepted += is_right
        self._draft = self._draft[1:] if is_right else ()

    def _token_bytes(self, token: int) -> bytes:
        is_preserved = token in self._request.preserved_tokens
        return self._vocab.piece(token) if is_preserved else self._vocab.output_bytes(token)

    def _timings(self, now: float) -> Timings:
        started = now if self._started is None else self._started
        prefilled = now if self._prefilled is None else self._prefilled
        return Timings(
            cached_n=self._state.n_cached,
            prompt_n=self._state.n_prompt_computed,
            prompt_ms=1000 * (prefilled - started),
            predicted_n=self._n_decoded,
            predicted_ms=1000 * (now - prefilled),
            draft_n=self._n_drafted,
            draft_n_accepted=self._n_draft_accepted,
        )

    def _reason_to_stop(self) -> StopReason | None:
        """A limit waits for the end of a character; the end of the context cannot wait."""
        if self._text.stopping_word:
            return StopReason.WORD
        n_beyond = self._n_decoded - self._request.n_predict
        waits = self._text.is_mid_character and n_beyond < _MAX_BYTES_MISSING
        is_at_limit = self._request.n_predict >= 0 and n_beyond >= 0
        if self._is_context_full or self._text.hit_indent_stop or (is_at_limit and not waits):
            return StopReason.LIMIT
        return None

    def _is_out_of_time(self, now: float) -> bool:
        limit = self._request.t_max_predict_ms
        return limit > 0 and self._prefilled is not None and 1000 * (now - self._prefilled) > limit

    @property
    def _is_context_full(self) -> bool:
        return self._n_ctx is not None and len(self._state.tokens) > self._n_ctx

    def _update_state(self) -> None:
        self._state.n_decoded = self._n_decoded
        self._state.has_new_line = self._text.has_new_line
