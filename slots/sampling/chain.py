"""Sampler chain: builds the samplers of a request from its options, in their order."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

from slots.requests.sampling_params import SamplerName, SamplingParams
from slots.sampling.logits.candidates import MAX_TOP_K
from slots.sampling.sampler_context import LogitsProcessor, SamplerInputs
from slots.sampling.samplers.adaptive_p import make_adaptive_p
from slots.sampling.samplers.dry import make_dry
from slots.sampling.samplers.grammar_mask import GrammarMask
from slots.sampling.samplers.infill import make_infill
from slots.sampling.samplers.logit_bias import LogitBias
from slots.sampling.samplers.mirostat import make_mirostat
from slots.sampling.samplers.penalties import Penalties, make_penalties
from slots.sampling.samplers.temperature import make_temperature
from slots.sampling.samplers.truncation import (
    make_min_p,
    make_tail_free,
    make_top_k,
    make_top_n_sigma,
    make_top_p,
    make_typical,
)
from slots.sampling.samplers.xtc import make_xtc

MAX_XTC_THRESHOLD = 0.5
"""Above it, no two tokens can reach the threshold."""


class _Definition(NamedTuple):
    has_effect: Callable[[SamplerInputs], bool]
    make: Callable[[SamplerInputs], LogitsProcessor]


SAMPLERS: dict[SamplerName, _Definition] = {
    SamplerName.PENALTIES: _Definition(lambda inputs: inputs.has_penalties, make_penalties),
    SamplerName.DRY: _Definition(
        lambda inputs: inputs.params.dry_multiplier > 0 and inputs.params.dry_penalty_last_n != 0, make_dry
    ),
    SamplerName.TOP_N_SIGMA: _Definition(lambda inputs: inputs.params.top_n_sigma > 0, make_top_n_sigma),
    SamplerName.TOP_K: _Definition(lambda inputs: 0 < inputs.params.top_k < inputs.context.n_vocab, make_top_k),
    SamplerName.TFS_Z: _Definition(lambda inputs: inputs.params.tfs_z < 1, make_tail_free),
    SamplerName.TYP_P: _Definition(lambda inputs: inputs.params.typical_p < 1, make_typical),
    SamplerName.TOP_P: _Definition(lambda inputs: inputs.params.top_p < 1, make_top_p),
    SamplerName.MIN_P: _Definition(lambda inputs: inputs.params.min_p > 0, make_min_p),
    SamplerName.XTC: _Definition(
        lambda inputs: inputs.params.xtc_probability > 0 and inputs.params.xtc_threshold <= MAX_XTC_THRESHOLD, make_xtc
    ),
    SamplerName.TEMPERATURE: _Definition(
        lambda inputs: not inputs.has_fixed_temperature or inputs.params.temperature != 1, make_temperature
    ),
    SamplerName.ADAPTIVE_P: _Definition(lambda inputs: inputs.params.adaptive_target >= 0, make_adaptive_p),
    SamplerName.INFILL: _Definition(lambda _inputs: True, make_infill),
}
"""The samplers that the `samplers` option can order. One without effect is left out and costs nothing."""

_EDIT_LOGITS = (SamplerName.PENALTIES, SamplerName.DRY)
_KEEP_ARGMAX = (SamplerName.TOP_N_SIGMA, SamplerName.TOP_K, SamplerName.TFS_Z, SamplerName.TOP_P, SamplerName.MIN_P)
"""Never remove the most likely token: just before an argmax they have no effect."""
_SEARCH_LARGEST = (SamplerName.TOP_K, SamplerName.MIN_P, SamplerName.TOP_N_SIGMA, SamplerName.INFILL)
_FUSED_ORDER = (SamplerName.TOP_K, SamplerName.TOP_P, SamplerName.MIN_P, SamplerName.TEMPERATURE)


@dataclass(frozen=True, slots=True)
class FusedParams:
    """Options of a chain that the sampling kernel computes; a sampler that is not in it has its neutral value."""

    top_k: int
    top_p: float = 1.0
    min_p: float = 0.0
    min_keep: int = 0
    temperature: float = 1.0
    is_greedy: bool = False

    @property
    def log_min_p(self) -> float:
        return math.log(self.min_p) if self.min_p > 0 else -math.inf


@dataclass(frozen=True)
class Chain:
    """The samplers of a request, in the order mask, edits, samplers."""

    mask: GrammarMask | None
    edits: tuple[LogitsProcessor, ...]
    make_samplers: Callable[[], tuple[LogitsProcessor, ...]]
    is_greedy: bool  # takes the most likely candidate instead of drawing one
    needs_softmax: bool  # computes the probabilities of all tokens, not only of the largest logits
    n_top_logits: int | None  # how many of the largest logits the samplers look at; None if it may be all
    fused_params: FusedParams | None  # equal to `samplers` and what follows, if the kernel can do it

    @cached_property
    def samplers(self) -> tuple[LogitsProcessor, ...]:
        """Made when they are first needed, which for most requests with `fused_params` is never."""
        return self.make_samplers()

    @property
    def fused_edits(self) -> tuple[LogitBias | None, Penalties | None] | None:
        """The edits, if they are such that the kernel can do them."""
        match self.edits:
            case ():
                return None, None
            case (LogitBias() as bias,):
                return bias, None
            case (Penalties() as penalties,):
                return None, penalties
            case (LogitBias() as bias, Penalties() as penalties):
                return bias, penalties
        return None

    @property
    def processors(self) -> tuple[LogitsProcessor, ...]:
        return (self.mask, *self.edits, *self.samplers) if self.mask else self.edits + self.samplers

    @property
    def stateful_processors(self) -> tuple[LogitsProcessor, ...]:
        """All that may have a state: the samplers of a fused chain have none."""
        if self.fused_params is None:
            return self.processors
        return (self.mask, *self.edits) if self.mask else self.edits


def build_chain(inputs: SamplerInputs) -> Chain:
    """Build the chain that the options of a request describe, without samplers that have no effect.

    A grammar is first, then logit biases. As in llama.cpp, Mirostat replaces all samplers that remove candidates and
    Adaptive-p is last wherever it is listed; unlike there, penalties and DRY work with Mirostat, too.
    """
    params = inputs.params
    order = _order(params)
    is_greedy = SamplerName.TEMPERATURE in order and params.temperature <= 0 and inputs.has_fixed_temperature
    has_mirostat = params.mirostat > 0 and not is_greedy
    effective = _with_effect(inputs, order, is_greedy)
    n_edits = next((index for index, name in enumerate(effective) if name not in _EDIT_LOGITS), len(effective))
    names = effective[n_edits:]
    # A sampler that is listed twice is one object with one state.
    make = cache(lambda name: SAMPLERS[name].make(inputs))
    edits = [make(name) for name in effective[:n_edits]]
    if params.logit_bias or inputs.banned_tokens:
        edits.insert(0, LogitBias(params.logit_bias, inputs.banned_tokens))
    mask = GrammarMask(inputs.matcher, inputs.context.end_of_generation) if inputs.matcher else None
    n_top_logits = params.top_k if names and names[0] is SamplerName.TOP_K else 1 if is_greedy and not names else None
    return Chain(
        mask=mask,
        edits=tuple(edits),
        make_samplers=lambda: (*map(make, names), *([make_mirostat(inputs)] if has_mirostat else ())),
        is_greedy=is_greedy,
        needs_softmax=names[0] not in _SEARCH_LARGEST if names else not is_greedy,
        n_top_logits=n_top_logits,
        fused_params=_fused_params(inputs, names, is_greedy),
    )


def _order(params: SamplingParams) -> list[SamplerName]:
    order: list[SamplerName] = [name for name in params.samplers if name is not SamplerName.ADAPTIVE_P]
    if params.mirostat:
        return [*(name for name in order if name in _EDIT_LOGITS), SamplerName.TEMPERATURE]
    return [*order, SamplerName.ADAPTIVE_P] if len(order) < len(params.samplers) else order


def _with_effect(inputs: SamplerInputs, order: Sequence[SamplerName], is_greedy: bool) -> list[SamplerName]:
    """Returns the samplers that have an effect; for a greedy chain those that can change which token is the argmax."""
    if is_greedy:
        order = order[: order.index(SamplerName.TEMPERATURE)]
    names = [name for name in order if SAMPLERS[name].has_effect(inputs)]
    while is_greedy and names and names[-1] in _KEEP_ARGMAX:
        names.pop()
    return names


def _fused_params(inputs: SamplerInputs, names: Sequence[SamplerName], is_greedy: bool) -> FusedParams | None:
    if is_greedy:
        return None if names else FusedParams(top_k=1, is_greedy=True)
    params = inputs.params
    in_fused_order = [name for name in _FUSED_ORDER if name in names]
    if not names or names[0] is not SamplerName.TOP_K or list(names) != in_fused_order:
        return None
    if params.mirostat or params.top_k > MAX_TOP_K or not inputs.has_fixed_temperature:
        return None
    return FusedParams(
        top_k=params.top_k,
        top_p=params.top_p if SamplerName.TOP_P in names else 1.0,
        min_p=params.min_p if SamplerName.MIN_P in names else 0.0,
        min_keep=params.min_keep,
        temperature=params.temperature if SamplerName.TEMPERATURE in names else 1.0,
    )
