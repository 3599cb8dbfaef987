"""Generation: turns the sampled tokens of one request into events, and decides when it stops."""

from collections.abc import Sequence

from slots.completion.detokenizer import Detokenizer
from slots.llama import Vocab
from slots.requests.draft import Draft
from slots.requests.events import Event, Finished, StopReason, Token
from slots.requests.request_state import RequestState
from slots.sampling import SampledToken, Sampler

_MAX_BYTES_MISSING = 3
"""Of a UTF-8 character after its first byte."""


class Generation:
    """The sampler and the detokenizer of a request. Like the request's state, it outlives the slot.

    It is not part of that state because the scheduler and the caches, which work on the state, need no vocabulary.
    """

    def __init__(self, state: RequestState, vocab: Vocab, sampler: Sampler, n_ctx: int | None) -> None:
        """`n_ctx` is the number of tokens at which the context is full; None with context shift."""
        self.state = state
        self.sampler = sampler
        self._request = state.request
        self._vocab = vocab
        self._n_ctx = n_ctx
        self._text = Detokenizer(state.request.stop, state.request.n_indent)
        self._draft: Sequence[int] = ()
        """The drafted tokens that are not accepted yet."""

    @property
    def wants_tokens(self) -> bool:
        return self._request.n_predict != 0

    def set_draft(self, draft: Draft) -> None:
        self._draft = draft.tokens
        self.state.n_drafted += len(draft)

    def advance(self, choice: SampledToken, now: float, n_more: int = 0) -> list[Event]:
        """Add the token sampled at `now`, in seconds. The sampler has accepted `n_more` forced tokens after it already.

        Returns the events for the stream; the last one is Finished if the generation ends with this token.
        """
        state, token = self.state, choice.token
        is_end = token in self._vocab.end_of_generation
        state.n_decoded += 1
        state.tokens.append(token)
        self._count_accepted(token)
        text = "" if is_end else self._text.feed(self._token_bytes(token))
        reason = StopReason.EOS if is_end else self._stop_reason()
        if reason is not StopReason.WORD and not is_end and not n_more and self.sampler.is_grammar_over:
            reason = StopReason.EOS
        if reason is None and "\n" in text and self._is_out_of_time(now):
            reason = StopReason.LIMIT
        if reason is not None:
            text += self._text.flush()
        if self._text.stopping_word:
            reason = StopReason.WORD
        state.has_new_line = self._text.has_new_line
        timings = state.timings(now) if self._request.timings_per_token else None
        events: list[Event] = [Token(token, text, state.slot_id, choice.logprobs, timings, reason is not None)]
        if reason is not None:
            events.append(self.finish(reason, now))
        return events

    def finish(self, reason: StopReason, now: float) -> Finished:
        """Returns the last event; `now` is in seconds."""
        state = self.state
        return Finished(
            reason=reason,
            stopping_word=self._text.stopping_word,
            truncated=state.truncated or self._is_context_full,
            has_new_line=state.has_new_line,
            slot_id=state.slot_id,
            seed=self.sampler.seed,
            n_prompt_tokens=len(self._request.prompt),
            timings=state.timings(now),
        )

    def _count_accepted(self, token: int) -> None:
        is_accepted = bool(self._draft) and token == self._draft[0]
        self.state.n_draft_accepted += is_accepted
        self._draft = self._draft[1:] if is_accepted else ()

    def _token_bytes(self, token: int) -> bytes:
        is_preserved = token in self._request.preserved_tokens
        return self._vocab.piece(token) if is_preserved else self._vocab.output_bytes(token)

    def _stop_reason(self) -> StopReason | None:
        """A limit waits until a character is complete; the end of the context cannot."""
        if self._text.stopping_word:
            return StopReason.WORD
        n_beyond = self.state.n_decoded - self._request.n_predict
        waits = self._text.is_mid_character and n_beyond < _MAX_BYTES_MISSING
        is_at_limit = self._request.n_predict >= 0 and n_beyond >= 0
        if self._is_context_full or self._text.hit_indent_stop or (is_at_limit and not waits):
            return StopReason.LIMIT
        return None

    def _is_out_of_time(self, now: float) -> bool:
        limit = self._request.t_max_predict_ms
        return limit > 0 and self.state.predicted_ms(now) > limit

    @property
    def _is_context_full(self) -> bool:
        return self._n_ctx is not None and len(self.state.tokens) > self._n_ctx
