"""The state of one sequence: what it has in the KV cache, and what it is working on."""

from dataclasses import dataclass, field

from slots.requests.events import SlotStatus
from slots.requests.request_state import RequestState
from slots.requests.scope import CacheScope


@dataclass(slots=True, eq=False)
class Slot:
    """One of the sequences that share the llama context.

    While there is work, `cached` is a prefix of the work's tokens, and the rest of those is still to be computed.
    Afterwards `cached` stays, for a prompt that begins with the same tokens.
    """

    slot_id: int
    n_ctx: int
    """Most tokens it can hold."""
    cached: list[int] = field(default_factory=list)
    """The tokens in its KV cache, by position."""
    scope: CacheScope = field(default_factory=CacheScope)
    """Who may take what is cached."""
    shifted_from: int | None = None
    """Where tokens begin that were moved to their positions: computed anew, they would come out otherwise."""
    state: RequestState | None = None
    session: str | None = None
    """The session that was served last."""
    last_used: int = 0
    """The number of the request that was served last."""
    waits_for: int | None = None
    """The slot that is computing what this one needs, too."""
    speculates: bool = False
    """Tokens may be guessed ahead in it."""

    @property
    def is_idle(self) -> bool:
        """Whether it can take a request."""
        return self.state is None

    @property
    def n_unshifted(self) -> int:
        """How many tokens, from the first, are cached as computing them anew would give them."""
        return len(self.cached) if self.shifted_from is None else self.shifted_from

    @property
    def uncomputed(self) -> list[int]:
        """Tokens that are known but not in the KV cache yet; none for an idle slot."""
        return self.state.tokens[len(self.cached) :] if self.state else []

    @property
    def n_uncomputed(self) -> int:
        """How many there are."""
        return len(self.state.tokens) - len(self.cached) if self.state else 0

    @property
    def n_ctx_left(self) -> int:
        """How many tokens fit into the context behind those that are known; -1 where the last of them does not."""
        return self.n_ctx - len(self.state.tokens) if self.state else 0

    @property
    def is_generating(self) -> bool:
        """Whether the next step gives it a new token and only the last one is to be computed for that."""
        return self.state is not None and self.state.n_decoded > 0 and self.n_uncomputed == 1

    @property
    def is_prefilling(self) -> bool:
        """Whether it works, and not just on the next token."""
        return self.state is not None and not self.is_generating

    def assign(self, state: RequestState) -> None:
        """Begin, or go on, to work on a request whose first tokens are those cached."""
        self.state = state
        self.session = state.request.session
        self.scope = state.request.scope
        self.last_used = state.request_id

    def release(self) -> None:
        """Be idle again; what is cached stays."""
        self.state = self.waits_for = None

    def truncate(self, n_tokens: int) -> None:
        """Note that only the first tokens are cached any more."""
        del self.cached[n_tokens:]
        if self.shifted_from is not None and self.shifted_from >= n_tokens:
            self.shifted_from = None

    def status(self) -> SlotStatus:
        """What it is doing. May be called from any thread; the numbers are those of about the last step."""
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
            speculates=self.speculates and (state is None or state.request.n_draft != 0),
            n_decoded=n_decoded,
            n_remain=max(limit - n_decoded, 0) if limit >= 0 else -1,
            has_new_line=state.has_new_line if state else False,
            request=state.request if state else None,
            generated=state.generated if state else (),
            request_id=self.last_used,
        )
