"""Sampler chain: builds the samplers of a request from its options, in their order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from slots.requests.sampling_params import SamplerName, SamplingParams
from slots.sampling.fast_chain import MAX_TOP_K, FastChainParams
from slots.sampling.logits.candidates import MAX_LOGIT
from slots.sampling.sampler_context import LogitsProcessor, SamplerInputs
from slots.sampling.samplers.adaptive_p import make_adaptive_p
from slots.sampling.samplers.dry import make_dry
from slots.sampling.samplers.grammar_mask import GrammarMask
from slots.sampling.samplers.infill import make_infill
from slots.sampling.samplers.logit_bias import make_logit_bias
from slots.sampling.samplers.mirostat import make_mirostat
from slots.sampling.samplers.penalties import make_penalties
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

SAMPLER_FACTORIES: dict[SamplerName, Callable[[SamplerInputs], LogitsProcessor | None]] = {
    SamplerName.PENALTIES: make_penalties,
    SamplerName.DRY: make_dry,
    SamplerName.TOP_N_SIGMA: make_top_n_sigma,
    SamplerName.TOP_K: make_top_k,
    SamplerName.TFS_Z: make_tail_free,
    SamplerName.TYP_P: make_typical,
    SamplerName.TOP_P: make_top_p,
    SamplerName.MIN_P: make_min_p,
    SamplerName.XTC: make_xtc,
    SamplerName.TEMPERATURE: make_temperature,
    SamplerName.ADAPTIVE_P: make_adaptive_p,
    SamplerName.INFILL: make_infill,
}
"""The samplers that the `samplers` option can order."""

_EDIT_LOGITS = (SamplerName.PENALTIES, SamplerName.DRY)
_KEEP_ARGMAX = (SamplerName.TOP_N_SIGMA, SamplerName.TOP_K, SamplerName.TFS_Z, SamplerName.TOP_P, SamplerName.MIN_P)
"""Never remove the most likely token: just before an argmax they have no effect."""
_SEARCH_LARGEST = (SamplerName.TOP_K, SamplerName.MIN_P, SamplerName.TOP_N_SIGMA, SamplerName.INFILL)
_FAST_ORDER = (SamplerName.TOP_K, SamplerName.TOP_P, SamplerName.MIN_P, SamplerName.TEMPERATURE)


@dataclass(frozen=True, slots=True)
class Chain:
    """The samplers of a request, in the order mask, edits, samplers."""

    mask: GrammarMask | None
    edits: tuple[LogitsProcessor, ...]
    samplers: tuple[LogitsProcessor, ...]
    is_greedy: bool  # takes the most likely candidate instead of drawing one
    needs_softmax: bool  # computes the probabilities of all tokens, not only of the largest logits
    fast_params: FastChainParams | None  # equal to `samplers`, if the fast chain can do it

    @property
    def processors(self) -> tuple[LogitsProcessor, ...]:
        return (self.mask, *self.edits, *self.samplers) if self.mask else self.edits + self.samplers


def build_chain(inputs: SamplerInputs) -> Chain:
    """Build the chain that the options of a request describe, without samplers that have no effect.

    A grammar is first, then logit biases. As in llama.cpp, Mirostat replaces all samplers that remove candidates and
    Adaptive-p is last wherever it is listed; unlike there, penalties and DRY work with Mirostat, too.
    """
    params = inputs.params
    order = _order(params)
    is_greedy = SamplerName.TEMPERATURE in order and params.temperature <= 0 and inputs.has_fixed_temperature
    named = _make_processors(inputs, order, is_greedy)
    n_edits = next((index for index, (name, _) in enumerate(named) if name not in _EDIT_LOGITS), len(named))
    edits, samplers = ([processor for _, processor in part] for part in (named[:n_edits], named[n_edits:]))
    names = [name for name, _ in named[n_edits:]]
    if (bias := make_logit_bias(inputs)) is not None:
        edits.insert(0, bias)
    if params.mirostat and not is_greedy:
        samplers.append(make_mirostat(inputs))
    mask = None
    if inputs.matcher is not None:
        searches_largest = names[0] is SamplerName.TOP_K if names else is_greedy
        is_lazy = searches_largest and not params.mirostat
        mask = GrammarMask(inputs.matcher, inputs.context.end_of_generation, is_lazy=is_lazy)
    return Chain(
        mask=mask,
        edits=tuple(edits),
        samplers=tuple(samplers),
        is_greedy=is_greedy,
        needs_softmax=names[0] not in _SEARCH_LARGEST if names else not is_greedy,
        fast_params=None if is_greedy or params.mirostat else _fast_params(inputs, names),
    )


def _order(params: SamplingParams) -> list[SamplerName]:
    order: list[SamplerName] = [name for name in params.samplers if name is not SamplerName.ADAPTIVE_P]
    if params.mirostat:
        return [*(name for name in order if name in _EDIT_LOGITS), SamplerName.TEMPERATURE]
    return [*order, SamplerName.ADAPTIVE_P] if len(order) < len(params.samplers) else order


def _make_processors(
    inputs: SamplerInputs, order: Sequence[SamplerName], is_greedy: bool
) -> list[tuple[SamplerName, LogitsProcessor]]:
    """Make the samplers that have an effect; for a greedy chain those that can change which token is the argmax."""
    if is_greedy:
        order = order[: order.index(SamplerName.TEMPERATURE)]
    # A sampler that is listed twice is one object with one state.
    processors = {name: SAMPLER_FACTORIES[name](inputs) for name in dict.fromkeys(order)}
    named = [(name, processor) for name in order if (processor := processors[name]) is not None]
    while is_greedy and named and named[-1][0] in _KEEP_ARGMAX:
        named.pop()
    return named


def _fast_params(inputs: SamplerInputs, names: Sequence[SamplerName]) -> FastChainParams | None:
    in_fast_order = [name for name in _FAST_ORDER if name in names]
    if not names or names[0] is not SamplerName.TOP_K or list(names) != in_fast_order:
        return None
    params = inputs.params
    temperature = params.temperature if SamplerName.TEMPERATURE in names else 1.0
    is_supported = inputs.has_fixed_temperature and 1 / MAX_LOGIT < temperature < MAX_LOGIT
    if not is_supported or params.top_k > MAX_TOP_K:
        return None
    return FastChainParams(
        top_k=params.top_k,
        top_p=params.top_p if SamplerName.TOP_P in names else 1.0,
        min_p=params.min_p if SamplerName.MIN_P in names else 0.0,
        min_keep=params.min_keep,
        temperature=temperature,
    )
