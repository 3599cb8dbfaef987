"""What the engine is asked for: validated, immutable, in its own terms and not in those of any dialect."""

from dataclasses import dataclass, field

from grammar.matcher import CompiledGrammar
from slots.errors import require
from slots.requests.sampling_params import SamplingParams
from slots.requests.scope import CacheScope

MAX_STOP_STRINGS = 256
"""Each is searched for at every token."""


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One prompt to go on from.

    Raises InvalidRequest, which names the field, for a value out of its range.
    """

    prompt: tuple[int, ...]
    """Token ids."""
    sampling: SamplingParams = field(default_factory=SamplingParams)
    n_predict: int = -1
    """Most tokens to generate; -1 is until the end of the context, 0 evaluates the prompt only."""
    stop: tuple[str, ...] = ()
    """Strings that end the generation; they are not part of its text."""
    n_keep: int = 0
    slot_id: int = -1
    """The slot to use, waiting for it if need be; -1 leaves the choice to the scheduler."""
    session: str | None = None
    """Whose conversation this is: the slot that served this session last is preferred when it is free."""
    cache_prompt: bool = True
    """Reuse what was computed of this prompt before."""
    scope: CacheScope = field(default_factory=CacheScope)
    """Who else may take what is computed for it, and whose it may take."""
    n_cache_reuse: int = 0
    """Fewest tokens of a chunk behind the common prefix that is moved to where the prompt has it; 0 moves none."""
    grammar: CompiledGrammar | None = None
    """What the text has to match."""
    n_indent: int = 0
    """Spaces and tabs that each new line has to begin with; one that has fewer ends the generation."""
    t_max_predict_ms: int = 0
    """Milliseconds after which the next line end ends the generation; 0 or less is off."""
    is_streamed: bool = True
    """Tell tokens one by one as they come, and not many at once, which costs less."""
    backend_sampling: bool = True
    """Let llama.cpp find the largest logits where the engine does so and these decide; else the whole row is looked at,
    which chooses the same tokens."""
    n_draft: int = -1
    """Most tokens to guess ahead at once where the engine speculates; 0 guesses none, -1 as many as the engine does."""
    timings_per_token: bool = False
    """Report counts and durations with each token."""
    preserved_tokens: frozenset[int] = frozenset()
    """Control tokens that are spelled out in the text, which otherwise has nothing of them."""

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
