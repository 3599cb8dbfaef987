"""Events: what the engine reports while it works on a request."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from slots.errors import EngineError
from slots.requests.cache_use import CacheHit, CacheMiss
from slots.requests.request import CompletionRequest


class StopReason(StrEnum):
    """Why a generation ended, spelled as llama.cpp's server spells `stop_type`."""

    EOS = "eos"
    LIMIT = "limit"
    WORD = "word"


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """Natural log of the softmax over the vocabulary, or, with post_sampling_probs, over what the samplers kept."""

    token: int
    logprob: float


@dataclass(frozen=True, slots=True)
class PositionLogprobs:
    """The sampled token of a position and the most likely ones, most likely first."""

    sampled: TokenLogprob
    top: tuple[TokenLogprob, ...]


@dataclass(frozen=True, slots=True)
class Timings:
    """Counts of prompt tokens from the cache, computed, generated and drafted, and durations in milliseconds."""

    cached_n: int
    prompt_n: int
    prompt_ms: float
    predicted_n: int
    predicted_ms: float
    draft_n: int
    draft_n_accepted: int

    @property
    def prompt_per_second(self) -> float:
        return _per_second(self.prompt_n, self.prompt_ms)

    @property
    def predicted_per_second(self) -> float:
        return _per_second(self.n_predicted_steps, self.predicted_ms)

    @property
    def n_predicted_steps(self) -> int:
        """The tokens whose computation `predicted_ms` measures: the first one comes with the prompt."""
        return max(self.predicted_n - 1, 0)


def _per_second(n_tokens: int, milliseconds: float) -> float:
    return 1000 * n_tokens / milliseconds if milliseconds else 0.0


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """Where a request waits for its first slot."""

    position: int
    """1 for the one whose turn is next."""
    waiting_ms: float


@dataclass(frozen=True, slots=True)
class PromptProgress:
    """How much of a prompt is in the KV cache, in tokens: of `total` ones `processed`, of which `cached` were found in
    the prefix cache."""

    total: int
    cached: int
    processed: int
    time_ms: float
    """Since its first tokens were computed."""
    slot_id: int
    timings: Timings | None = None
    """As of now, if the request has timings_per_token."""


@dataclass(frozen=True, slots=True)
class Token:
    """A generated token, with the text that is certain now: what may become a stop string is held back."""

    token: int
    text: str
    slot_id: int
    logprobs: PositionLogprobs | None
    timings: Timings | None
    """As of this token, if the request has timings_per_token."""
    is_last: bool = False
    """Whether the generation ends with it, so that Finished follows at once."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The generation ended; the last event of a stream that did not fail."""

    reason: StopReason
    stopping_word: str
    truncated: bool
    """Whether the context was full, or a part of the prompt was left out."""
    has_new_line: bool
    slot_id: int
    seed: int
    """With the same seed and options another request gives the same text, unless the tokens of a draft model were drawn
    for this one (see `SamplingParams.is_reproducible`)."""
    n_prompt_tokens: int
    timings: Timings
    cache_miss: CacheMiss | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The request failed; the last event of its stream."""

    error: EngineError


Progress: TypeAlias = QueuePlace | PromptProgress
Event = Token | Progress | Finished | Failed

TokenBytes: TypeAlias = tuple[int, bytes, int, PositionLogprobs | None, Timings | None, bool]
"""A Token on its way to the event loop, where its text is decoded: its fields in their order, with the bytes that are
certain now in place of the text. A tuple, because one is made for every token between two decodes."""

EngineEvent = TokenBytes | Progress | Finished | Failed


@dataclass(frozen=True, slots=True)
class ThreadNumbers:
    """CPU threads that the latest steps have used, or the first ones will use."""

    few: int
    """Of steps of few tokens, as while texts are generated."""
    many: int
    """Of steps of many tokens, as in prompts."""
    max: int
    """No step uses more."""


class SlotActivity(StrEnum):
    IDLE = "idle"
    WAITING = "waiting"
    """For another slot to compute a prefix which both need."""
    PREFILL = "prefill"
    GENERATING = "generating"


@dataclass(frozen=True, slots=True)
class SlotStatus:
    """What a slot is doing, as of the last step. Counts of the request are 0 if there is none."""

    slot_id: int
    is_processing: bool
    n_ctx: int
    n_prompt_tokens: int
    n_cached_tokens: int
    n_prompt_tokens_processed: int
    n_prompt_tokens_cache: int
    waits_for: int | None
    """The slot that computes a prefix which this one will share."""
    speculates: bool
    """Whether tokens may be drafted, for its request if it has one."""
    n_decoded: int
    n_remain: int
    """Tokens that may still be generated; -1 means no limit but the context."""
    has_new_line: bool
    request: CompletionRequest | None
    generated: tuple[int, ...]
    request_id: int
    """The current or latest request, counted since the start; 0 before the first."""
    activity: "SlotActivity"
    cache_hits: tuple[CacheHit, ...]
    """What of the prompt was found in the prefix cache, and where."""
    cache_miss: CacheMiss | None
    tokens_per_second: float
    """Of the text so far; 0 before its second token."""
