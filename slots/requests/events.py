"""What the engine says back while it works on a request."""

from dataclasses import dataclass
from enum import StrEnum

from slots.errors import EngineError
from slots.requests.request import CompletionRequest


class StopReason(StrEnum):
    """Why a generation ended, spelled as llama.cpp's server spells `stop_type`."""

    EOS = "eos"
    LIMIT = "limit"
    WORD = "word"


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One candidate for a position and its log probability (natural log).

    Softmax over the whole vocabulary, or over what the samplers left of it where those are asked for."""

    token: int
    logprob: float


@dataclass(frozen=True, slots=True)
class PositionLogprobs:
    """The token that was chosen for a position and the most likely ones there, most likely first."""

    sampled: TokenLogprob
    top: tuple[TokenLogprob, ...]


@dataclass(frozen=True, slots=True)
class Timings:
    """Token counts and durations of one request."""

    cached_n: int
    """Prompt tokens that were in the KV cache already."""
    prompt_n: int
    """Prompt tokens that were computed."""
    prompt_ms: float
    predicted_n: int
    predicted_ms: float
    draft_n: int
    """Tokens that were guessed ahead."""
    draft_n_accepted: int
    """Those of them that were generated."""

    @property
    def prompt_per_second(self) -> float:
        """Prompt tokens computed in a second; 0 where it took no time."""
        return _per_second(self.prompt_n, self.prompt_ms)

    @property
    def predicted_per_second(self) -> float:
        """Tokens generated in a second; 0 where it took no time."""
        return _per_second(self.predicted_n, self.predicted_ms)


def _per_second(n_tokens: int, milliseconds: float) -> float:
    return 1000 * n_tokens / milliseconds if milliseconds else 0.0


@dataclass(frozen=True, slots=True)
class Token:
    """One generated token and the text that it completed; the text is empty while a character or a stop string
    may still be incomplete. A token that ends the generation carries the text that was held back until then."""

    token: int
    text: str
    slot_id: int
    logprobs: PositionLogprobs | None
    timings: Timings | None
    """As of this token, where the request asks for them."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The generation ended; the last event of a stream that did not fail."""

    reason: StopReason
    stopping_word: str
    """The stop string that was found, or an empty string."""
    truncated: bool
    """The context was full."""
    has_new_line: bool
    """Whether the generated text has a line end."""
    slot_id: int
    seed: int
    """The seed that was used; another request with it, and the same options, gives the same text."""
    n_prompt_tokens: int
    timings: Timings


@dataclass(frozen=True, slots=True)
class Failed:
    """The request could not be finished; the last event of its stream."""

    error: EngineError


Event = Token | Finished | Failed


@dataclass(frozen=True, slots=True)
class SlotStatus:
    """What a slot is doing, as of the last step."""

    slot_id: int
    is_processing: bool
    n_ctx: int
    n_prompt_tokens: int
    """Tokens of the prompt being worked on; 0 when idle."""
    n_cached_tokens: int
    """Tokens in the slot's KV cache."""
    n_prompt_tokens_processed: int
    """Tokens of the prompt that were computed for the request being worked on; 0 when idle."""
    n_prompt_tokens_cache: int
    """Tokens of the prompt that had been computed before; 0 when idle."""
    waits_for: int | None
    """The slot that is computing what this one's prompt begins with, too."""
    speculates: bool
    """Whether tokens may be guessed ahead in it, for the request being worked on if there is one."""
    n_decoded: int
    """Tokens generated for the request being worked on; 0 when idle."""
    n_remain: int
    """Tokens that may still be generated; -1 is no limit but the context."""
    has_new_line: bool
    request: CompletionRequest | None
    """The request being worked on."""
    generated: tuple[int, ...]
    """Tokens generated for the request being worked on."""
    request_id: int
    """Counts the requests since the start; the one being worked on, or the last one. 0 before the first."""
