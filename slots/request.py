"""What the engine is asked for: validated, immutable, in its own terms and not in those of any dialect."""

import math
from dataclasses import dataclass, field

from slots.errors import InvalidRequest

MAX_SEED = 2**32 - 1
MAX_N_PROBS = 128
"""Bounds what may wait for a slow reader: as many candidates for each token of a context."""
MAX_STOP_STRINGS = 256
"""Each is searched for at every token."""


def _require(condition: bool, name: str, expected: str, value: object) -> None:
    if not condition:
        raise InvalidRequest(name, f"expected {expected}, got {value!r}")


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How the next token is chosen. The names, neutral values and defaults are those of the llama-like API.

    Raises InvalidRequest, which names the field, for a value out of its range.
    """

    temperature: float = 0.8
    """0 or less takes the most likely token."""
    top_k: int = 40
    """0 or less is off."""
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.1
    repeat_last_n: int = 64
    """Tokens looked back upon by the penalties; 0 is off, -1 is the whole context."""
    penalize_nl: bool = True
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int = -1
    """-1 takes a random one."""
    ignore_eos: bool = False
    logit_bias: tuple[tuple[int, float], ...] = ()
    """(token, what is added to its logit) pairs; -inf rules the token out."""
    n_probs: int = 0
    """Report this many of the most likely tokens, before the sampler chain, with each generated token."""

    def __post_init__(self) -> None:
        for name in ("temperature", "top_p", "min_p", "repeat_penalty", "presence_penalty", "frequency_penalty"):
            value = getattr(self, name)
            _require(math.isfinite(value), name, "a finite number", value)
        _require(0.0 <= self.top_p <= 1.0, "top_p", "a number from 0 to 1", self.top_p)
        _require(0.0 <= self.min_p <= 1.0, "min_p", "a number from 0 to 1", self.min_p)
        _require(self.repeat_penalty > 0.0, "repeat_penalty", "a number above 0", self.repeat_penalty)
        _require(self.repeat_last_n >= -1, "repeat_last_n", "-1 or more", self.repeat_last_n)
        _require(-1 <= self.seed <= MAX_SEED, "seed", f"an integer from -1 to {MAX_SEED}", self.seed)
        _require(0 <= self.n_probs <= MAX_N_PROBS, "n_probs", f"0 to {MAX_N_PROBS}", self.n_probs)
        for token, bias in self.logit_bias:
            _require(not math.isnan(bias) and bias != math.inf, "logit_bias", f"a finite bias for token {token}", bias)


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
    """Reuse what the slot has of this prompt."""

    def __post_init__(self) -> None:
        _require(len(self.prompt) > 0, "prompt", "at least one token", "none")
        _require(self.n_predict >= -1, "n_predict", "-1 or more", self.n_predict)
        _require(self.n_keep >= -1, "n_keep", "-1 or more", self.n_keep)
        _require(self.slot_id >= -1, "slot_id", "-1 or the number of a slot", self.slot_id)
        _require(all(self.stop), "stop", "strings that are not empty", list(self.stop))
        _require(len(self.stop) <= MAX_STOP_STRINGS, "stop", f"at most {MAX_STOP_STRINGS} strings", len(self.stop))
