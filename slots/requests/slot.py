"""The state of one sequence: what it has in the KV cache, and what it is working on."""

from dataclasses import dataclass, field

from slots.requests.events import SlotStatus
from slots.requests.request_state import Work
from slots.requests.scope import Scope


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
    scope: Scope = field(default_factory=Scope)
    """Who may take what is cached."""
    inexact_from: int | None = None
    """Where tokens begin that were moved to their positions: computed anew, they would come out otherwise."""
    work: Work | None = None
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
        return self.work is None

    @property
    def n_exact(self) -> int:
        """How many tokens, from the first, are cached as computing them anew would give them."""
        return len(self.cached) if self.inexact_from is None else self.inexact_from

    @property
    def pending(self) -> list[int]:
        """Tokens that are known but not in the KV cache yet; none for an idle slot."""
        return self.work.tokens[len(self.cached) :] if self.work else []

    @property
    def n_pending(self) -> int:
        """How many there are."""
        return len(self.work.tokens) - len(self.cached) if self.work else 0

    @property
    def n_room(self) -> int:
        """How many tokens fit into the context behind those that are known; -1 where the last of them does not."""
        return self.n_ctx - len(self.work.tokens) if self.work else 0

    @property
    def is_generating(self) -> bool:
        """Whether the next step gives it a new token and only the last one is to be computed for that."""
        return self.work is not None and self.work.n_decoded > 0 and self.n_pending == 1

    @property
    def is_prefilling(self) -> bool:
        """Whether it works, and not just on the next token."""
        return self.work is not None and not self.is_generating

    def take(self, work: Work) -> None:
        """Begin, or go on, to work on a request whose first tokens are those cached."""
        self.work = work
        self.session = work.request.session
        self.scope = work.request.scope
        self.last_used = work.number

    def release(self) -> None:
        """Be idle again; what is cached stays."""
        self.work = self.waits_for = None

    def cut(self, n_tokens: int) -> None:
        """Note that only the first tokens are cached any more."""
        del self.cached[n_tokens:]
        if self.inexact_from is not None and self.inexact_from >= n_tokens:
            self.inexact_from = None

    def status(self) -> SlotStatus:
        """What it is doing. May be called from any thread; the numbers are those of about the last step."""
        work = self.work
        n_decoded = work.n_decoded if work else 0
        limit = work.request.n_predict if work else -1
        return SlotStatus(
            slot_id=self.slot_id,
            is_processing=work is not None,
            n_ctx=self.n_ctx,
            n_prompt_tokens=len(work.request.prompt) if work else 0,
            n_cached_tokens=len(self.cached),
            n_prompt_tokens_processed=work.n_evaluated if work else 0,
            n_prompt_tokens_cache=min(work.n_cached, len(self.cached)) if work else 0,
            waits_for=self.waits_for,
            speculates=self.speculates and (work is None or work.request.n_draft != 0),
            n_decoded=n_decoded,
            n_remain=max(limit - n_decoded, 0) if limit >= 0 else -1,
            has_new_line=work.has_new_line if work else False,
            request=work.request if work else None,
            generated=work.generated if work else (),
            request_number=self.last_used,
        )
