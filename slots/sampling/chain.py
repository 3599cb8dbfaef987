"""From the options of a request to the samplers that it needs."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from slots.sampling.adaptive_p import AdaptiveP
from slots.sampling.candidates import LARGEST_LOGIT, Candidates
from slots.sampling.dry import Dry
from slots.sampling.infill import Infill
from slots.sampling.logit_bias import LogitBias
from slots.sampling.mirostat import MirostatV1, MirostatV2
from slots.sampling.penalties import Penalties
from slots.sampling.surroundings import Surroundings
from slots.sampling.tail_free import keep_before_tail
from slots.sampling.temperature import scale, scale_by_entropy
from slots.sampling.truncation import keep_min_p, keep_top_k, keep_top_n_sigma, keep_top_p
from slots.sampling.typical import keep_typical
from slots.sampling.usual import MOST_CANDIDATES, UsualOptions
from slots.sampling.xtc import Xtc
from slots.sampling_params import SamplerName, SamplingParams

Step = Callable[[Candidates], None]
"""A sampler with its options and, if it has one, its state: changes candidates or takes some away."""


@dataclass(frozen=True, slots=True)
class Ingredients:
    """What samplers are made of."""

    params: SamplingParams
    prompt: Sequence[int]
    surroundings: Surroundings
    random: np.random.Generator


def _penalties(of: Ingredients) -> Step | None:
    params = of.params
    is_neutral = (params.repeat_penalty, params.presence_penalty, params.frequency_penalty) == (1.0, 0.0, 0.0)
    if is_neutral or params.repeat_last_n == 0:
        return None
    return Penalties(params, of.prompt, of.surroundings.n_ctx, of.surroundings.newline)


def _dry(of: Ingredients) -> Step | None:
    params = of.params
    if params.dry_multiplier == 0.0 or params.dry_penalty_last_n == 0:
        return None
    breakers = of.surroundings.find_breakers(params.dry_sequence_breakers)
    return Dry(params, of.prompt, of.surroundings.n_ctx, breakers)


def _top_n_sigma(of: Ingredients) -> Step | None:
    n = of.params.top_n_sigma
    return partial(keep_top_n_sigma, n=n) if n > 0 else None


def _top_k(of: Ingredients) -> Step | None:
    k = of.params.top_k
    return partial(keep_top_k, k=k) if 0 < k < of.surroundings.n_vocab else None


def _tail_free(of: Ingredients) -> Step | None:
    params = of.params
    return partial(keep_before_tail, z=params.tfs_z, min_keep=params.min_keep) if params.tfs_z < 1 else None


def _typical(of: Ingredients) -> Step | None:
    params = of.params
    return partial(keep_typical, p=params.typical_p, min_keep=params.min_keep) if params.typical_p < 1 else None


def _top_p(of: Ingredients) -> Step | None:
    params = of.params
    return partial(keep_top_p, p=params.top_p, min_keep=params.min_keep) if params.top_p < 1 else None


def _min_p(of: Ingredients) -> Step | None:
    params = of.params
    return partial(keep_min_p, p=params.min_p, min_keep=params.min_keep) if params.min_p > 0 else None


def _xtc(of: Ingredients) -> Step | None:
    params = of.params
    if params.xtc_probability == 0 or params.xtc_threshold > 0.5:
        return None
    return Xtc(params.xtc_probability, params.xtc_threshold, params.min_keep, of.random)


def _temperature(of: Ingredients) -> Step | None:
    params = of.params
    if not _is_fixed(params):
        reach, exponent = params.dynatemp_range, params.dynatemp_exponent
        return partial(scale_by_entropy, temperature=params.temperature, reach=reach, exponent=exponent)
    return partial(scale, temperature=params.temperature) if params.temperature != 1 else None


def _adaptive_p(of: Ingredients) -> Step | None:
    params = of.params
    return AdaptiveP(params.adaptive_target, params.adaptive_decay) if params.adaptive_target >= 0 else None


def _infill(of: Ingredients) -> Step | None:
    surroundings = of.surroundings
    end = None if surroundings.end in _ruled_out(of) else surroundings.end
    return Infill(surroundings.end_of_generation, end, surroundings.text_of)


MAKERS: dict[SamplerName, Callable[[Ingredients], Step | None]] = {
    SamplerName.PENALTIES: _penalties,
    SamplerName.DRY: _dry,
    SamplerName.TOP_N_SIGMA: _top_n_sigma,
    SamplerName.TOP_K: _top_k,
    SamplerName.TFS_Z: _tail_free,
    SamplerName.TYP_P: _typical,
    SamplerName.TOP_P: _top_p,
    SamplerName.MIN_P: _min_p,
    SamplerName.XTC: _xtc,
    SamplerName.TEMPERATURE: _temperature,
    SamplerName.ADAPTIVE_P: _adaptive_p,
    SamplerName.INFILL: _infill,
}
"""Each returns None where its options ask for nothing, so that it costs nothing either."""


_CHANGE_LOGITS = (SamplerName.PENALTIES, SamplerName.DRY)
_KEEP_THE_BEST = (SamplerName.TOP_N_SIGMA, SamplerName.TOP_K, SamplerName.TFS_Z, SamplerName.TOP_P, SamplerName.MIN_P)
"""Whatever else these take away, the most likely token stays: just before it is taken anyway, they change nothing."""
_LOOK_FOR_THE_LARGEST = (SamplerName.TOP_K, SamplerName.MIN_P, SamplerName.TOP_N_SIGMA, SamplerName.INFILL)
_USUAL = (SamplerName.TOP_K, SamplerName.TOP_P, SamplerName.MIN_P, SamplerName.TEMPERATURE)


@dataclass(frozen=True, slots=True)
class Chain:
    """The samplers of a request in their order: first those that only change some logits of the whole row."""

    edits: tuple[Step, ...]
    others: tuple[Step, ...]
    is_greedy: bool
    """Whether the most likely of the candidates that are left is taken, instead of one drawn by its probability."""
    weighs_all: bool
    """Whether the probabilities of all tokens are computed, and not only of those with the largest logits."""
    usual: UsualOptions | None
    """What the others do, if they are a usual chain."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """All samplers."""
        return self.edits + self.others


def build_chain(of: Ingredients) -> Chain:
    """The chain that the options of a request ask for; what asks for nothing is not in it.

    Logit biases come first. Mirostat takes the place of all samplers that take candidates away, Adaptive-p comes last
    wherever it was named: both as in llama.cpp, but that penalties and DRY work with Mirostat here, too.
    """
    params = of.params
    order: list[SamplerName] = [name for name in params.samplers if name is not SamplerName.ADAPTIVE_P]
    if params.mirostat:
        order = [*(name for name in order if name in _CHANGE_LOGITS), SamplerName.TEMPERATURE]
    is_greedy = SamplerName.TEMPERATURE in order and params.temperature <= 0 and _is_fixed(params)
    if is_greedy:
        del order[order.index(SamplerName.TEMPERATURE) :]
    elif not params.mirostat and SamplerName.ADAPTIVE_P in params.samplers:
        order.append(SamplerName.ADAPTIVE_P)
    made = [(name, step) for name in order if (step := MAKERS[name](of)) is not None]
    while is_greedy and made and made[-1][0] in _KEEP_THE_BEST:
        made.pop()
    n_edits = next((place for place, (name, _step) in enumerate(made) if name not in _CHANGE_LOGITS), len(made))
    edits, others = ([step for _name, step in part] for part in (made[:n_edits], made[n_edits:]))
    names = [name for name, _step in made[n_edits:]]
    if (bias := _logit_bias(of)) is not None:
        edits.insert(0, bias)
    if params.mirostat and not is_greedy:
        others.append(_mirostat(of))
    return Chain(
        edits=tuple(edits),
        others=tuple(others),
        is_greedy=is_greedy,
        weighs_all=names[0] not in _LOOK_FOR_THE_LARGEST if names else not is_greedy,
        usual=None if is_greedy or params.mirostat else _usual_options(params, names),
    )


def _usual_options(params: SamplingParams, names: Sequence[SamplerName]) -> UsualOptions | None:
    if not names or names[0] is not SamplerName.TOP_K or list(names) != [name for name in _USUAL if name in names]:
        return None
    temperature = params.temperature if SamplerName.TEMPERATURE in names else 1.0
    is_ordinary = _is_fixed(params) and 1 / LARGEST_LOGIT < temperature < LARGEST_LOGIT
    if not is_ordinary or params.top_k > MOST_CANDIDATES:
        return None
    return UsualOptions(
        top_k=params.top_k,
        top_p=params.top_p if SamplerName.TOP_P in names else 1.0,
        min_p=params.min_p if SamplerName.MIN_P in names else 0.0,
        min_keep=params.min_keep,
        temperature=temperature,
    )


def _is_fixed(params: SamplingParams) -> bool:
    """Whether the temperature does not follow the entropy, which it never does with Mirostat."""
    return params.dynatemp_range == 0 or params.mirostat > 0


def _logit_bias(of: Ingredients) -> Step | None:
    ruled_out = _ruled_out(of)
    return LogitBias(of.params.logit_bias, ruled_out) if of.params.logit_bias or ruled_out else None


def _ruled_out(of: Ingredients) -> set[int]:
    ends = of.surroundings.end_of_generation if of.params.ignore_eos else ()
    return {*of.surroundings.never, *ends, *(token for token, bias in of.params.logit_bias if bias == -math.inf)}


def _mirostat(of: Ingredients) -> Step:
    params = of.params
    if params.mirostat == 1:
        return MirostatV1(params.mirostat_tau, params.mirostat_eta, of.surroundings.n_vocab)
    return MirostatV2(params.mirostat_tau, params.mirostat_eta)
