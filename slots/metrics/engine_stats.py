"""EngineStats: what the engine has done since the start, and how long it took."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from slots.metrics.cache_stats import CacheStats
from slots.metrics.histogram import FIRST_TOKEN_SECONDS, REQUEST_SECONDS, TOKEN_SECONDS, TOKENS, Histogram
from slots.metrics.token_rates import TokenRates
from slots.requests.request_state import RequestState

MAX_DRAFT_POSITIONS = 64
"""Positions in a draft that are counted apart."""

FINISH_REASONS = ("eos", "limit", "word", "cancelled", "failed")


@dataclass(slots=True)
class RequestTotals:
    """Sums over requests, of their timings: as llama.cpp's server counts them."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    prompt_seconds: float = 0.0
    generated_tokens: int = 0
    generation_steps: int = 0
    """The generated tokens but the first of each request, which comes with its prompt."""
    generation_seconds: float = 0.0


@dataclass(slots=True)
class EngineStats:
    """Written by the engine's thread alone; other threads read each number by itself, as of some moment."""

    cache: CacheStats = field(default_factory=CacheStats)
    rates: TokenRates = field(default_factory=TokenRates)
    requests: RequestTotals = field(default_factory=RequestTotals)
    finished: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FINISH_REASONS, 0))

    generated_tokens: int = 0
    """So far, also of texts that are not finished."""
    max_sequence_tokens: int = 0
    """The longest prompt with its text."""

    n_decodes: int = 0
    n_busy_slots: int = 0
    """Sum over all decodes."""
    decode_seconds: float = 0.0
    sampling_seconds: float = 0.0
    busy_seconds: float = 0.0
    """In which the engine's thread did not wait for requests."""
    n_graphs_reused: int = 0
    """Decodes for which llama.cpp used the graph of the one before."""

    n_drafts: int = 0
    n_drafted_tokens: int = 0
    n_accepted_tokens: int = 0
    accepted_by_position: list[int] = field(default_factory=lambda: [0] * MAX_DRAFT_POSITIONS)
    """How many drafts were accepted up to a position, counted from 0, or beyond it."""

    time_to_first_token: Histogram = field(default_factory=lambda: Histogram(FIRST_TOKEN_SECONDS))
    inter_token_latency: Histogram = field(default_factory=lambda: Histogram(TOKEN_SECONDS))
    e2e_request_latency: Histogram = field(default_factory=lambda: Histogram(REQUEST_SECONDS))
    request_queue_time: Histogram = field(default_factory=lambda: Histogram(REQUEST_SECONDS))
    request_prefill_time: Histogram = field(default_factory=lambda: Histogram(REQUEST_SECONDS))
    request_decode_time: Histogram = field(default_factory=lambda: Histogram(REQUEST_SECONDS))
    request_prompt_tokens: Histogram = field(default_factory=lambda: Histogram(TOKENS))
    request_generation_tokens: Histogram = field(default_factory=lambda: Histogram(TOKENS))

    def record_start(self, state: RequestState, now: float) -> None:
        """Take in that a request gets a slot."""
        if state.assigned_at is None:
            state.assigned_at = now
            self.request_queue_time.observe(now - state.queued_at)

    def start_step(self, now: float) -> None:
        self.rates.note(now, self.cache.n_computed_tokens, self.generated_tokens)

    def record_embeddings(self, n_tokens: int, n_texts: int, seconds: float) -> None:
        """Take in a batch of texts, or of parts of texts."""
        self.requests.prompt_tokens += n_tokens
        self.requests.prompt_seconds += seconds
        self.cache.n_computed_tokens += n_tokens
        self.n_decodes += 1
        self.n_busy_slots += n_texts
        self.decode_seconds += seconds

    def record_step(self, started: float, decoded: float, sampled: float, n_slots: int) -> None:
        """Take in the times, in seconds, at which a step started, was decoded and sampled."""
        self.n_decodes += 1
        self.n_busy_slots += n_slots
        self.decode_seconds += decoded - started
        self.sampling_seconds += sampled - decoded

    def record_tokens(self, states: Iterable[RequestState], now: float) -> None:
        """Take in that each of these requests got one or more tokens in the step that has ended now."""
        for state in states:
            latest, state.latest_token_at = state.latest_token_at, now
            if latest is not None:
                self.inter_token_latency.observe(now - latest)
            else:
                self.time_to_first_token.observe(now - state.queued_at)

    def record_draft(self, n_tokens: int, n_accepted: int) -> None:
        self.n_drafts += 1
        self.n_drafted_tokens += n_tokens
        self.n_accepted_tokens += n_accepted
        for position in range(min(n_accepted, MAX_DRAFT_POSITIONS)):
            self.accepted_by_position[position] += 1

    def record_prefill(self, state: RequestState, now: float) -> None:
        """Take in that the prompt of a request is computed."""
        totals, timings = self.requests, state.timings(now)
        totals.prompt_tokens += timings.prompt_n
        totals.cached_tokens += timings.cached_n
        totals.prompt_seconds += timings.prompt_ms / 1000
        self.request_prompt_tokens.observe(len(state.request.prompt))
        if state.assigned_at is not None:
            self.request_prefill_time.observe(now - state.assigned_at)
        if state.cache_miss is not None:
            self.cache.count_miss(state.cache_miss.reason)

    def record_end(self, state: RequestState, reason: str, now: float) -> None:
        """Take in that a request has ended, for one of FINISH_REASONS."""
        totals, timings = self.requests, state.timings(now)
        self.finished[reason] += 1
        totals.generated_tokens += timings.predicted_n
        totals.generation_steps += timings.n_predicted_steps
        self.max_sequence_tokens = max(self.max_sequence_tokens, len(state.tokens))
        if timings.predicted_n:
            totals.generation_seconds += timings.predicted_ms / 1000
            self.request_decode_time.observe(timings.predicted_ms / 1000)
            self.request_generation_tokens.observe(timings.predicted_n)
        if reason in ("eos", "limit", "word"):
            self.e2e_request_latency.observe(now - state.queued_at)
