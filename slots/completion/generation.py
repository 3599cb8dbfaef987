"""Generation: turns the sampled tokens of one request into events, and decides when it stops."""

import math
from collections.abc import Sequence

from slots.completion.text_stops import TextStops, is_mid_character
from slots.llama import Vocab
from slots.requests.draft import Draft
from slots.requests.events import Finished, StopReason, TokenBytes
from slots.requests.request_state import RequestState
from slots.sampling import SampledToken, Sampler

_MAX_BYTES_MISSING = 3
"""Of a UTF-8 character after its first byte."""


class Generation:
    """The sampler and the text of a request. Like the request's state, it outlives the slot.

    It is not part of that state because the scheduler and the caches, which work on the state, need no vocabulary.
    """

    def __init__(self, state: RequestState, vocab: Vocab, sampler: Sampler, n_ctx: int | None) -> None:
        """`n_ctx` is the number of tokens at which the context is full; None with context shift."""
        request = state.request
        self.state = state
        self.sampler = sampler
        self.has_grammar = request.grammar is not None or request.reasoning_budget is not None
        """Whether some tokens may be the only ones allowed."""
        self._request = request
        self._vocab = vocab
        self._n_ctx = n_ctx
        self._end_tokens = vocab.end_of_generation
        self._preserved = request.preserved_tokens
        self._stops = TextStops(request.stop, request.n_indent) if request.stop or request.n_indent else None
        self._limit = request.n_predict if request.n_predict >= 0 else math.inf
        self._min_decoded = min(self._limit, math.inf if n_ctx is None else n_ctx - state.n_prompt)
        """With fewer tokens, neither the limit nor the end of the context ends the text."""
        self._may_end_before = bool(self._stops or self.has_grammar or request.t_max_predict_ms > 0)
        self._draft: Sequence[int] = ()
        """The drafted tokens that are not accepted yet."""

    @property
    def wants_tokens(self) -> bool:
        return self._request.n_predict != 0

    def set_draft(self, draft: Draft) -> None:
        self._draft = draft.tokens
        self.state.n_drafted += len(draft)

    def advance(self, choice: SampledToken, now: float, n_more: int = 0) -> tuple[TokenBytes, Finished | None]:
        """Add the token sampled at `now`, in seconds. The sampler has accepted `n_more` forced tokens after it already.

        Returns the event of the token and, if the generation ends with it, the last one.
        """
        state, token = self.state, choice.token
        state.n_decoded += 1
        state.tokens.append(token)
        if self._draft:
            self._count_accepted(token)
        if token in self._end_tokens:
            return self._end(choice, b"", StopReason.EOS, now)
        data = self._token_bytes(token)
        if self._stops is not None:
            data = self._stops.feed(data)
        if b"\n" in data:
            state.has_new_line = True
        if self._may_end_before or state.n_decoded >= self._min_decoded:
            reason = self._stop_reason(data, now, n_more)
            if reason is not None:
                return self._end(choice, data, reason, now)
        timings = state.timings(now) if self._request.timings_per_token else None
        return (token, data, state.slot_id, choice.logprobs, timings, False), None

    def finish(self, reason: StopReason, now: float) -> Finished:
        """Returns the last event; `now` is in seconds."""
        state = self.state
        return Finished(
            reason=reason,
            stopping_word=self._stops.stopping_word if self._stops else "",
            truncated=state.truncated or self._is_context_full,
            has_new_line=state.has_new_line,
            slot_id=state.slot_id,
            seed=self.sampler.seed,
            n_prompt_tokens=len(self._request.prompt),
            timings=state.timings(now),
            cache_miss=state.cache_miss,
        )

    def _end(self, choice: SampledToken, data: bytes, reason: StopReason, now: float) -> tuple[TokenBytes, Finished]:
        if self._stops is not None:
            data += self._stops.flush()
        state = self.state
        state.has_new_line = state.has_new_line or b"\n" in data
        timings = state.timings(now) if self._request.timings_per_token else None
        return (choice.token, data, state.slot_id, choice.logprobs, timings, True), self.finish(reason, now)

    def _count_accepted(self, token: int) -> None:
        is_accepted = token == self._draft[0]
        self.state.n_draft_accepted += is_accepted
        self._draft = self._draft[1:] if is_accepted else ()

    def _token_bytes(self, token: int) -> bytes:
        return self._vocab.piece(token) if token in self._preserved else self._vocab.output_bytes(token)

    def _stop_reason(self, data: bytes, now: float, n_more: int) -> StopReason | None:
        """Why the text ends with the token that `data` comes from, if it does."""
        stops = self._stops
        if stops is not None and stops.stopping_word:
            return StopReason.WORD
        if self.has_grammar and not n_more and self.sampler.is_grammar_over:
            return StopReason.EOS
        if self.state.n_decoded >= self._min_decoded and self._is_at_limit():
            return StopReason.LIMIT
        if stops is not None and stops.hit_indent_stop:
            return StopReason.LIMIT
        limit_ms = self._request.t_max_predict_ms
        if limit_ms > 0 and b"\n" in data and self.state.predicted_ms(now) > limit_ms:
            return StopReason.LIMIT
        return None

    def _is_at_limit(self) -> bool:
        """A limit waits until a character is complete, unless the request wants none to; the end of the context
        cannot."""
        n_beyond = self.state.n_decoded - self._limit
        may_wait = n_beyond < _MAX_BYTES_MISSING and not self._request.ends_within_character
        waits = may_wait and self._is_mid_character()
        return self._is_context_full or (n_beyond >= 0 and not waits)

    def _is_mid_character(self) -> bool:
        end = b""
        for token in reversed(self.state.generated):
            end = self._token_bytes(token) + end
            if len(end) >= _MAX_BYTES_MISSING:
                break
        return is_mid_character(end[-_MAX_BYTES_MISSING:])

    @property
    def _is_context_full(self) -> bool:
        return self._n_ctx is not None and len(self.state.tokens) >= self._n_ctx
