"""How the next token is to be chosen: validated and immutable."""

import math
from dataclasses import dataclass
from enum import StrEnum

from slots.errors import require

MAX_SEED = 2**32 - 1
MAX_N_PROBS = 128
"""Bounds what may wait for a slow reader: as many candidates for each token of a context."""
MAX_SAMPLERS = 16
"""In the order of samplers, which may name one several times."""
MAX_SEQUENCE_BREAKERS = 32
"""Each is looked for in every token of the vocabulary."""


class SamplerName(StrEnum):
    """The samplers that a request may put in an order."""

    PENALTIES = "penalties"
    DRY = "dry"
    TOP_N_SIGMA = "top_n_sigma"
    TOP_K = "top_k"
    TFS_Z = "tfs_z"
    TYP_P = "typ_p"
    TOP_P = "top_p"
    MIN_P = "min_p"
    XTC = "xtc"
    TEMPERATURE = "temperature"
    ADAPTIVE_P = "adaptive_p"
    INFILL = "infill"


DEFAULT_SAMPLERS = (
    SamplerName.PENALTIES,
    SamplerName.DRY,
    SamplerName.TOP_N_SIGMA,
    SamplerName.TOP_K,
    SamplerName.TFS_Z,
    SamplerName.TYP_P,
    SamplerName.TOP_P,
    SamplerName.MIN_P,
    SamplerName.XTC,
    SamplerName.TEMPERATURE,
)


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers from `least` to `most`, both included unless `is_open`, which leaves `least` out."""

    minimum: float = -math.inf
    maximum: float = math.inf
    excludes_minimum: bool = False

    def contains(self, value: float) -> bool:
        """Whether a value, which must be finite in any case, is in the range."""
        return (
            math.isfinite(value)
            and self.minimum <= value <= self.maximum
            and not (self.excludes_minimum and value == self.minimum)
        )

    def __str__(self) -> str:
        kind = "an integer" if isinstance(self.minimum, int) else "a number"
        least, most = (f"{end:g}" if isinstance(end, float) else str(end) for end in (self.minimum, self.maximum))
        if math.isfinite(self.minimum) and math.isfinite(self.maximum):
            return f"{kind} from {least} to {most}"
        if math.isfinite(self.minimum):
            return f"{kind} above {least}" if self.excludes_minimum else f"{kind}, {least} or more"
        return f"{kind}, {most} or less" if math.isfinite(self.maximum) else "a finite number"


RANGES = {
    "temperature": Range(),
    "dynatemp_range": Range(0.0),
    "dynatemp_exponent": Range(0.0),
    "top_p": Range(0.0, 1.0),
    "min_p": Range(0.0, 1.0),
    "tfs_z": Range(0.0, 1.0),
    "typical_p": Range(0.0, 1.0),
    "top_n_sigma": Range(),
    "xtc_probability": Range(0.0, 1.0),
    "xtc_threshold": Range(0.0, 1.0),
    "adaptive_target": Range(maximum=1.0),
    "adaptive_decay": Range(0.0, 0.99),
    "repeat_penalty": Range(0.0, excludes_minimum=True),
    "repeat_last_n": Range(-1),
    "presence_penalty": Range(),
    "frequency_penalty": Range(),
    "dry_multiplier": Range(0.0),
    "dry_base": Range(1.0),
    "dry_allowed_length": Range(0),
    "dry_penalty_last_n": Range(-1),
    "mirostat": Range(0, 2),
    "mirostat_tau": Range(0.0),
    "mirostat_eta": Range(0.0),
    "min_keep": Range(0),
    "seed": Range(-1, MAX_SEED),
    "n_probs": Range(0, MAX_N_PROBS),
}


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How the next token is chosen. The names, neutral values and defaults are those of the llama-like API.

    Raises InvalidRequest, which names the field, for a value out of its range.
    """

    temperature: float = 0.8
    """0 or less takes the most likely token."""
    dynatemp_range: float = 0.0
    """The temperature moves this far up and down with the entropy; 0 is off."""
    dynatemp_exponent: float = 1.0
    top_k: int = 40
    """0 or less is off."""
    top_p: float = 0.95
    """1 is off."""
    min_p: float = 0.05
    """0 is off."""
    tfs_z: float = 1.0
    """1 is off."""
    typical_p: float = 1.0
    """1 is off."""
    top_n_sigma: float = -1.0
    """0 or less is off."""
    xtc_probability: float = 0.0
    """0 is off."""
    xtc_threshold: float = 0.1
    """Above 0.5 is off."""
    adaptive_target: float = -1.0
    """Less than 0 is off."""
    adaptive_decay: float = 0.9
    repeat_penalty: float = 1.1
    """1 is off."""
    repeat_last_n: int = 64
    """Tokens looked back upon by the penalties; 0 is off, -1 is the whole context."""
    penalize_nl: bool = True
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    dry_multiplier: float = 0.0
    """0 is off."""
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    dry_penalty_last_n: int = 64
    """Tokens looked back upon by DRY; 0 is off, -1 is the whole context."""
    dry_sequence_breakers: tuple[str, ...] = ("\n", ":", '"', "*")
    mirostat: int = 0
    """1 and 2 are the versions of Mirostat; 0 is off."""
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    samplers: tuple[SamplerName, ...] = DEFAULT_SAMPLERS
    """The order of the samplers; one that is not in it is not used."""
    min_keep: int = 0
    """Tokens that a sampler leaves at least, where it can."""
    seed: int = -1
    """-1 takes a random one."""
    ignore_eos: bool = False
    logit_bias: tuple[tuple[int, float], ...] = ()
    """(token, what is added to its logit) pairs; -inf rules the token out."""
    n_probs: int = 0
    """Report this many of the most likely tokens with each generated token."""
    post_sampling_probs: bool = False
    """Report them as the samplers leave them, and not as the model gives them."""

    def __post_init__(self) -> None:
        for name, allowed in RANGES.items():
            value = getattr(self, name)
            require(allowed.contains(value), name, allowed, value)
        require(len(self.samplers) <= MAX_SAMPLERS, "samplers", f"at most {MAX_SAMPLERS}", len(self.samplers))
        breakers = self.dry_sequence_breakers
        require(all(breakers), "dry_sequence_breakers", "strings that are not empty", list(breakers))
        at_most = f"at most {MAX_SEQUENCE_BREAKERS} strings"
        require(len(breakers) <= MAX_SEQUENCE_BREAKERS, "dry_sequence_breakers", at_most, len(breakers))
        for token, bias in self.logit_bias:
            require(not math.isnan(bias) and bias != math.inf, "logit_bias", f"a finite bias for token {token}", bias)
