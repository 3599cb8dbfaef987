"""Slot: one sequence of the llama context, its cached tokens and its request."""

from dataclasses import dataclass, field

from slots.requests.adapters import NO_ADAPTERS, AdapterSet
from slots.requests.events import SlotActivity, SlotStatus
from slots.requests.media import count_positions, is_media
from slots.requests.request_state import RequestState
from slots.requests.scope import CacheScope


@dataclass(slots=True, eq=False)
class Slot:
    """While a request has the slot, `cached` is a prefix of the request's tokens; the others are still to be computed.
    After that it stays, for prompts that begin with the same tokens."""

    slot_id: int
    n_ctx: int
    cached: list[int] = field(default_factory=list)
    scope: CacheScope = field(default_factory=CacheScope)
    """Which requests may reuse the cached tokens."""
    shifted_from: int | None = None
    """Index from which the cached tokens were shifted: computing them would give other keys and values."""
    state: RequestState | None = None
    session: str | None = None
    last_used: int = 0
    """Request id of the latest request: the lower, the less recently used."""
    waits_for: int | None = None
    """The slot that computes a prefix which this one will share."""
    speculates: bool = False
    uses_mrope: bool = False
    """Whether media in it may have fewer positions than cells."""

    @property
    def is_idle(self) -> bool:
        return self.state is None

    @property
    def n_unshifted(self) -> int:
        return len(self.cached) if self.shifted_from is None else self.shifted_from

    @property
    def next_position(self) -> int:
        """The position of the next token to compute."""
        return self.position_of(len(self.cached))

    def position_of(self, n_tokens: int) -> int:
        """Returns the position after the first `n_tokens` cached tokens."""
        return count_positions(self.cached, n_tokens) if self.uses_mrope else n_tokens

    @property
    def uncomputed(self) -> list[int]:
        """The request's tokens that are not in the KV cache yet; empty for an idle slot."""
        return self.state.tokens[len(self.cached) :] if self.state else []

    @property
    def n_uncomputed(self) -> int:
        return len(self.state.tokens) - len(self.cached) if self.state else 0

    @property
    def has_media_next(self) -> bool:
        """Whether the next token to compute stands for a part of a picture or sound."""
        return self.n_uncomputed > 0 and self.state is not None and is_media(self.state.tokens[len(self.cached)])

    @property
    def adapters(self) -> AdapterSet:
        """The adapters with which its next token is computed."""
        return self.state.adapters_at(len(self.cached)) if self.state else NO_ADAPTERS

    @property
    def n_with_same_adapters(self) -> int:
        """How many of the uncomputed tokens can be computed in one batch."""
        n_base = self.scope.n_base - len(self.cached)
        return min(n_base, self.n_uncomputed) if n_base > 0 else self.n_uncomputed

    @property
    def n_ctx_left(self) -> int:
        """How many tokens still fit into the context; -1 if the last one of the request does not."""
        return self.n_ctx - len(self.state.tokens) if self.state else 0

    @property
    def is_generating(self) -> bool:
        """Whether the prompt is computed, so that the next step computes one token and samples the next."""
        return self.state is not None and self.state.n_decoded > 0 and self.n_uncomputed == 1

    @property
    def is_prefilling(self) -> bool:
        """Whether it has a request with more than the next token to compute."""
        return self.state is not None and not self.is_generating

    def assign(self, state: RequestState) -> None:
        self.state = state
        state.slot_id = self.slot_id
        self.session = state.request.session
        self.scope = state.scope
        self.last_used = state.request_id

    def release(self) -> None:
        self.state = self.waits_for = None

    def truncate(self, n_tokens: int) -> None:
        del self.cached[n_tokens:]
        if self.shifted_from is not None and self.shifted_from >= n_tokens:
            self.shifted_from = None

    def status(self) -> SlotStatus:
        """Returns what the slot is doing, as of about the last step. May be called from any thread."""
        state = self.state
        n_decoded = state.n_decoded if state else 0
        limit = state.request.n_predict if state else -1
        return SlotStatus(
            slot_id=self.slot_id,
            is_processing=state is not None,
            n_ctx=self.n_ctx,
            n_prompt_tokens=len(state.request.prompt) if state else 0,
            n_cached_tokens=len(self.cached),
            n_prompt_tokens_processed=state.n_prompt_computed if state else 0,
            n_prompt_tokens_cache=min(state.n_cached, len(self.cached)) if state else 0,
            waits_for=self.waits_for,
            speculates=self.speculates and (state is None or state.request.allows_drafts),
            n_decoded=n_decoded,
            n_remain=max(limit - n_decoded, 0) if limit >= 0 else -1,
            has_new_line=state.has_new_line if state else False,
            request=state.request if state else None,
            generated=state.generated if state else (),
            request_id=self.last_used,
            activity=_activity(state, self.waits_for),
            cache_hits=tuple(state.cache_hits) if state else (),
            cache_miss=state.cache_miss if state else None,
            tokens_per_second=state.tokens_per_second if state else 0.0,
        )


def _activity(state: RequestState | None, waits_for: int | None) -> SlotActivity:
    if state is None:
        return SlotActivity.IDLE
    if waits_for is not None:
        return SlotActivity.WAITING
    return SlotActivity.GENERATING if state.n_decoded else SlotActivity.PREFILL
