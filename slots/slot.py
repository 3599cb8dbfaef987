"""The state of one sequence: what it has in the KV cache, and what it is working on."""

from dataclasses import dataclass, field

from slots.events import SlotStatus
from slots.request import CompletionRequest


@dataclass(slots=True)
class Work:
    """A request that has a slot."""

    request: CompletionRequest
    number: int
    """Counts up with the order in which requests came."""
    n_decoded: int = 0
    has_new_line: bool = False


@dataclass(slots=True, eq=False)
class Slot:
    """One of the sequences that share the llama context.

    While there is work, `cached` is a prefix of `tokens`, and the rest of `tokens` is still to be computed. Afterwards
    `cached` stays, for a prompt that begins with the same tokens.
    """

    slot_id: int
    n_ctx: int
    """Most tokens it can hold."""
    cached: list[int] = field(default_factory=list)
    """The tokens in its KV cache, by position."""
    tokens: list[int] = field(default_factory=list)
    """The prompt and what was generated after it."""
    work: Work | None = None
    session: str | None = None
    """The session that was served last."""
    last_used: int = 0
    """The number of the request that was served last."""

    @property
    def is_idle(self) -> bool:
        """Whether it can take a request."""
        return self.work is None

    @property
    def n_pending(self) -> int:
        """Tokens that are known but not in the KV cache yet."""
        return len(self.tokens) - len(self.cached)

    @property
    def is_generating(self) -> bool:
        """Whether the next step gives it a new token and only the last one is to be computed for that."""
        return self.work is not None and self.n_pending == 1 and self.work.n_decoded > 0

    def take(self, request: CompletionRequest, number: int, n_reused: int) -> None:
        """Begin to work on a request whose first `n_reused` prompt tokens are in the KV cache."""
        self.work = Work(request, number)
        self.session = request.session
        self.last_used = number
        self.tokens = list(request.prompt)
        del self.cached[n_reused:]

    def release(self) -> None:
        """Be idle again; what is cached stays."""
        self.work = None

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
            n_decoded=n_decoded,
            n_remain=max(limit - n_decoded, 0) if limit >= 0 else -1,
            has_new_line=work.has_new_line if work else False,
            request=work.request if work else None,
            request_number=self.last_used,
        )
