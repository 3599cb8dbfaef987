"""A request on its way through the engine."""

from dataclasses import dataclass, field

from slots.requests.request import CompletionRequest


@dataclass(slots=True, eq=False)
class RequestState:
    """What is known of a request's text so far. It outlives the slot: who loses that goes on from here."""

    request: CompletionRequest
    request_id: int
    """Counts up with the order in which requests came."""
    truncated: bool = False
    """Tokens were left out, because there are more than a slot has room for."""
    tokens: list[int] = field(init=False)
    """The prompt and what was generated after it."""
    n_prompt: int = field(init=False)
    """How many of `tokens` are of the prompt."""
    n_prompt_computed: int = 0
    """Tokens of the prompt that were computed for this request; those that had to be computed again count once."""
    n_decoded: int = 0
    has_new_line: bool = False
    n_removed: int = 0
    """Tokens that were left out of `tokens` since they came in."""
    skip_cache: bool = field(init=False)
    """Nothing is taken from a cache for it: because it must not be, or because that was tried and failed."""
    shared_prefixes: dict[int, int] = field(default_factory=dict)
    """By the number of another request whose prompt was still being computed: how many tokens both begin with."""
    checkpoints: set[int] = field(default_factory=set)
    """Numbers of tokens after which others' texts part, or are likely to: where sequences cannot be cut, it is there
    that they can be taken whole."""

    _n_prompt_reached: int = 0
    """How far the prompt was computed, or taken, at some time."""

    def __post_init__(self) -> None:
        self.skip_cache = not self.request.cache_prompt
        self.tokens = list(self.request.prompt)
        self.n_prompt = len(self.tokens)

    @property
    def max_cached(self) -> int:
        """Most tokens that may come from a cache: the last one has to be computed, for its logits."""
        return len(self.tokens) - 1

    @property
    def all_checkpoints(self) -> set[int]:
        """With the place from which the same prompt can start again; behind the prompt there is none."""
        return self.checkpoints if self.n_decoded else {*self.checkpoints, self.max_cached}

    @property
    def n_cached(self) -> int:
        """Tokens of the prompt that had been computed before."""
        return max(len(self.request.prompt) - self.n_prompt_computed, 0)

    @property
    def generated(self) -> tuple[int, ...]:
        """What was generated, as far as it is still in the context."""
        return tuple(self.tokens[self.n_prompt :])

    def count_computed(self, start: int, n_tokens: int) -> None:
        """Count what was computed from `start` on, as far as it belongs to the prompt and was not computed before."""
        if self.n_decoded == 0:
            self.n_prompt_computed += max(start + n_tokens - max(start, self._n_prompt_reached), 0)
            self._n_prompt_reached = max(self._n_prompt_reached, start + n_tokens)

    def remove(self, start: int, end: int) -> None:
        """Leave out the tokens [start, end)."""
        self.truncated = True
        self.shared_prefixes.clear()
        self.checkpoints.clear()
        self.n_removed += end - start
        self.n_prompt -= max(min(end, self.n_prompt) - start, 0)
        del self.tokens[start:end]
