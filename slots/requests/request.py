"""Completion request: validated, immutable, and independent of any HTTP dialect."""

from dataclasses import dataclass, field

from grammar.matcher import CompiledGrammar
from slots.errors import require
from slots.requests.sampling_params import SamplingParams
from slots.requests.scope import CacheScope

MAX_STOP_STRINGS = 256
"""Each is searched for after every token."""


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One prompt to complete. Raises InvalidRequest, which names the field, for a value out of range."""

    prompt: tuple[int, ...]
    sampling: SamplingParams = field(default_factory=SamplingParams)
    n_predict: int = -1
    """Maximum number of tokens to generate; -1 means until the context is full, 0 only evaluates the prompt."""
    stop: tuple[str, ...] = ()
    n_keep: int = 0
    slot_id: int = -1
    """The slot to use, waiting until it is idle; -1 lets the scheduler choose."""
    session: str | None = None
    """Identifies a conversation: an idle slot that served this session last is preferred."""
    cache_prompt: bool = True
    scope: CacheScope = field(default_factory=CacheScope)
    n_cache_reuse: int = 0
    """Minimum number of tokens of a chunk after the common prefix that is shifted to its new position; 0 is off."""
    grammar: CompiledGrammar | None = None
    n_indent: int = 0
    """Minimum number of spaces and tabs at the start of a new line; a line with fewer ends the generation."""
    t_max_predict_ms: int = 0
    """Milliseconds after which the next line end ends the generation; 0 or less is off."""
    is_streamed: bool = True
    """Report every token at once, instead of many together, which costs less."""
    backend_sampling: bool = True
    """Allow backend sampling; the sampled tokens are the same either way."""
    n_draft: int = -1
    """Maximum number of tokens per draft; 0 drafts none, -1 uses the engine's maximum."""
    timings_per_token: bool = False
    preserved_tokens: frozenset[int] = frozenset()
    """Control tokens that are spelled out in the text; all others are left out."""

    def __post_init__(self) -> None:
        require(len(self.prompt) > 0, "prompt", "at least one token", "none")
        require(self.n_predict >= -1, "n_predict", "-1 or more", self.n_predict)
        require(self.n_keep >= -1, "n_keep", "-1 or more", self.n_keep)
        require(self.n_cache_reuse >= 0, "n_cache_reuse", "0 or more", self.n_cache_reuse)
        require(self.n_indent >= 0, "n_indent", "0 or more", self.n_indent)
        require(self.t_max_predict_ms >= -1, "t_max_predict_ms", "-1 or more", self.t_max_predict_ms)
        require(self.n_draft >= -1, "speculative.n_max", "-1 or more", self.n_draft)
        require(self.slot_id >= -1, "slot_id", "-1 or the number of a slot", self.slot_id)
        require(all(self.stop), "stop", "strings that are not empty", list(self.stop))
        require(len(self.stop) <= MAX_STOP_STRINGS, "stop", f"at most {MAX_STOP_STRINGS} strings", len(self.stop))
