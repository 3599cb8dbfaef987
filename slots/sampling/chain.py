"""From the options of a request to the samplers that it needs."""

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
"""The samplers that can be put in an order."""

_CHANGE_LOGITS = (SamplerName.PENALTIES, SamplerName.DRY)
_KEEP_THE_BEST = (SamplerName.TOP_N_SIGMA, SamplerName.TOP_K, SamplerName.TFS_Z, SamplerName.TOP_P, SamplerName.MIN_P)
"""Whatever else these take away, the most likely token stays: just before it is taken anyway, they change nothing."""
_LOOK_FOR_THE_LARGEST = (SamplerName.TOP_K, SamplerName.MIN_P, SamplerName.TOP_N_SIGMA, SamplerName.INFILL)
_USUAL = (SamplerName.TOP_K, SamplerName.TOP_P, SamplerName.MIN_P, SamplerName.TEMPERATURE)


@dataclass(frozen=True, slots=True)
class Chain:
    """The samplers of a request in their order: behind the mask those that only change some logits of the row."""

    mask: GrammarMask | None
    """Comes first, if there is a grammar."""
    edits: tuple[LogitsProcessor, ...]
    samplers: tuple[LogitsProcessor, ...]
    is_greedy: bool
    """Whether the most likely of the candidates that are left is taken, instead of one drawn by its probability."""
    needs_softmax: bool
    """Whether the probabilities of all tokens are computed, and not only of those with the largest logits."""
    fast_params: FastChainParams | None
    """What the others do, if they are a usual chain."""

    @property
    def processors(self) -> tuple[LogitsProcessor, ...]:
        """All samplers."""
        return (self.mask, *self.edits, *self.samplers) if self.mask else self.edits + self.samplers


def build_chain(inputs: SamplerInputs) -> Chain:
    """The chain that the options of a request ask for; what asks for nothing is not in it.

    A grammar comes first, then logit biases. Mirostat takes the place of all samplers that take candidates away,
    Adaptive-p comes last wherever it was named: both as in llama.cpp, but that penalties and DRY work with Mirostat
    here, too.
    """
    params = inputs.params
    order = _order(params)
    is_greedy = SamplerName.TEMPERATURE in order and params.temperature <= 0 and inputs.has_fixed_temperature
    made = _make(inputs, order, is_greedy)
    n_edits = next((place for place, (name, _step) in enumerate(made) if name not in _CHANGE_LOGITS), len(made))
    edits, others = ([step for _name, step in part] for part in (made[:n_edits], made[n_edits:]))
    names = [name for name, _step in made[n_edits:]]
    if (bias := make_logit_bias(inputs)) is not None:
        edits.insert(0, bias)
    if params.mirostat and not is_greedy:
        others.append(make_mirostat(inputs))
    mask = None
    if inputs.matcher is not None:
        looks_for_largest = names[0] is SamplerName.TOP_K if names else is_greedy
        is_lazy = looks_for_largest and not params.mirostat
        mask = GrammarMask(inputs.matcher, inputs.context.end_of_generation, is_lazy=is_lazy)
    return Chain(
        mask=mask,
        edits=tuple(edits),
        samplers=tuple(others),
        is_greedy=is_greedy,
        needs_softmax=names[0] not in _LOOK_FOR_THE_LARGEST if names else not is_greedy,
        fast_params=None if is_greedy or params.mirostat else _fast_params(inputs, names),
    )


def _order(params: SamplingParams) -> list[SamplerName]:
    order: list[SamplerName] = [name for name in params.samplers if name is not SamplerName.ADAPTIVE_P]
    if params.mirostat:
        return [*(name for name in order if name in _CHANGE_LOGITS), SamplerName.TEMPERATURE]
    return [*order, SamplerName.ADAPTIVE_P] if len(order) < len(params.samplers) else order


def _make(
    inputs: SamplerInputs, order: Sequence[SamplerName], is_greedy: bool
) -> list[tuple[SamplerName, LogitsProcessor]]:
    """The samplers in an order that ask for something; of a greedy chain those that may change what is the best."""
    if is_greedy:
        order = order[: order.index(SamplerName.TEMPERATURE)]
    makes = {
        name: SAMPLER_FACTORIES[name](inputs) for name in dict.fromkeys(order)
    }  # one that is named again is the same again
    made = [(name, step) for name in order if (step := makes[name]) is not None]
    while is_greedy and made and made[-1][0] in _KEEP_THE_BEST:
        made.pop()
    return made


def _fast_params(inputs: SamplerInputs, names: Sequence[SamplerName]) -> FastChainParams | None:
    if not names or names[0] is not SamplerName.TOP_K or list(names) != [name for name in _USUAL if name in names]:
        return None
    params = inputs.params
    temperature = params.temperature if SamplerName.TEMPERATURE in names else 1.0
    is_ordinary = inputs.has_fixed_temperature and 1 / MAX_LOGIT < temperature < MAX_LOGIT
    if not is_ordinary or params.top_k > MAX_TOP_K:
        return None
    return FastChainParams(
        top_k=params.top_k,
        top_p=params.top_p if SamplerName.TOP_P in names else 1.0,
        min_p=params.min_p if SamplerName.MIN_P in names else 0.0,
        min_keep=params.min_keep,
        temperature=temperature,
    )
