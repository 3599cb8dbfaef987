"""Request state: what is known of a request while the engine works on it."""

from dataclasses import dataclass, field, replace

from slots.requests.adapters import NO_ADAPTERS, AdapterSet
from slots.requests.cache_use import CacheHit, CacheMiss
from slots.requests.events import Timings
from slots.requests.media import cut_before
from slots.requests.request import CompletionRequest
from slots.requests.scope import CacheScope


@dataclass(slots=True, eq=False)
class RequestState:
    """Text, counts and times of one request, in seconds. It outlives the slot: a preempted request continues here."""

    request: CompletionRequest
    request_id: int
    """Counts up in the order of arrival."""
    truncated: bool = False
    """Tokens were left out because a slot has no room for all of them."""
    slot_id: int = -1
    """The slot that works on it, or did last."""
    tokens: list[int] = field(init=False)
    """The first `n_prompt` ones are the prompt, the others are generated."""
    n_prompt: int = field(init=False)
    scope: CacheScope = field(init=False)
    """That of the request; removed tokens move the one from which on its adapters apply."""
    n_prompt_computed: int = 0
    """Prompt tokens computed for this request. A token that had to be computed again counts once."""
    n_decoded: int = 0
    n_drafted: int = 0
    n_draft_accepted: int = 0
    has_new_line: bool = False
    queued_at: float = 0.0
    assigned_at: float | None = None
    """When it got its first slot."""
    latest_token_at: float | None = None
    """When the step of its latest token ended; None before the first token."""
    cache_hits: list[CacheHit] = field(default_factory=list)
    """What was found of it in the prefix cache, in the order in which it was loaded."""
    cache_miss: CacheMiss | None = None
    """Why no more was; None if all of it was found, or the rest is new."""
    next_queue_report: float = 0.0
    """When its place in the queue may be told again."""
    n_reported: int = -1
    """Prompt tokens of which it was told that they are computed; -1 before the first time."""
    n_removed: int = 0
    """Tokens removed from `tokens` so far."""
    skip_cache: bool = field(init=False)
    """Take nothing from the prefix cache: the request forbids it, or a copy failed."""
    shared_prefixes: dict[int, int] = field(default_factory=dict)
    """By request id: how many tokens the prompt has in common with another one that was in prefill."""
    checkpoints: set[int] = field(default_factory=set)
    """Lengths at which other prompts diverge, or are likely to: a sequence that cannot be truncated is parked there."""

    _n_prompt_reached: int = 0
    """How much of the prompt has been in the KV cache at some time."""
    _start_time: float | None = None
    _prefill_end_time: float | None = None

    def __post_init__(self) -> None:
        self.skip_cache = not self.request.cache_prompt
        self.tokens = list(self.request.prompt)
        self.n_prompt = len(self.tokens)
        self.scope = self.request.scope

    @property
    def max_cached(self) -> int:
        """How many tokens may come from the cache: the last one has to be computed for its logits."""
        return cut_before(self.tokens, len(self.tokens) - 1)

    @property
    def all_checkpoints(self) -> set[int]:
        """The checkpoints; in prefill also the length from which the same prompt can be computed again."""
        return self.checkpoints if self.n_decoded else {*self.checkpoints, self.max_cached}

    @property
    def n_cached(self) -> int:
        return max(len(self.request.prompt) - self.n_prompt_computed, 0)

    @property
    def generated(self) -> tuple[int, ...]:
        return tuple(self.tokens[self.n_prompt :])

    def adapters_at(self, index: int) -> AdapterSet:
        """Returns the adapters with which the token at an index is computed."""
        return NO_ADAPTERS if index < self.scope.n_base else self.request.adapters

    def count_computed(self, start: int, n_tokens: int) -> int:
        """Count the computed tokens from index `start` on that are prompt tokens and were not computed before, and
        return their number."""
        if self.n_decoded > 0:
            return 0
        n_new = max(start + n_tokens - max(start, self._n_prompt_reached), 0)
        self.n_prompt_computed += n_new
        self._n_prompt_reached = max(self._n_prompt_reached, start + n_tokens)
        return n_new

    def remove(self, start: int, end: int) -> None:
        self.truncated = True
        self.shared_prefixes.clear()
        self.checkpoints.clear()
        self.n_removed += end - start
        self.n_prompt -= max(min(end, self.n_prompt) - start, 0)
        n_base = self.scope.n_base
        if start < n_base:
            self.scope = replace(self.scope, n_base=n_base - (min(end, n_base) - start))
        del self.tokens[start:end]

    def start_clock(self, now: float) -> None:
        if self._start_time is None:
            self._start_time = now

    def end_prefill(self, now: float) -> bool:
        """Returns whether it ends now, and did not before."""
        if self._prefill_end_time is not None:
            return False
        self._prefill_end_time = now
        return True

    def prefill_ms(self, now: float) -> float:
        """Milliseconds since the first token of the prompt was computed, 0 before that."""
        return 0.0 if self._start_time is None else 1000 * (now - self._start_time)

    def predicted_ms(self, now: float) -> float:
        """Milliseconds since the prompt was computed, 0 before that."""
        return 0.0 if self._prefill_end_time is None else 1000 * (now - self._prefill_end_time)

    @property
    def tokens_per_second(self) -> float:
        """Of the text so far, without its first token; 0 before the second one."""
        if self.latest_token_at is None:
            return 0.0
        seconds = self.predicted_ms(self.latest_token_at) / 1000
        return max(self.n_decoded - 1, 0) / seconds if seconds > 0 else 0.0

    def timings(self, now: float) -> Timings:
        start = now if self._start_time is None else self._start_time
        prefill_end = now if self._prefill_end_time is None else self._prefill_end_time
        return Timings(
            cached_n=self.n_cached,
            prompt_n=self.n_prompt_computed,
            prompt_ms=1000 * (prefill_end - start),
            predicted_n=self.n_decoded,
            predicted_ms=self.predicted_ms(now),
            draft_n=self.n_drafted,
            draft_n_accepted=self.n_draft_accepted,
        )
