"""Temperature, fixed or following the entropy."""

import math
from functools import partial

import numpy as np

from slots.sampling.logits.candidates import Candidates
from slots.sampling.sampler_context import LogitsProcessor, SamplerInputs


def scale(candidates: Candidates, temperature: float) -> None:
    """Temperature (Ackley et al., 1985): logits divided by it; at 0 and below only the most likely token stays."""
    if temperature > 0:
        candidates.divide(temperature)
    else:
        candidates.keep(np.array([candidates.argmax()]))


def scale_by_entropy(candidates: Candidates, temperature: float, reach: float, exponent: float) -> None:
    """Dynamic temperature (kalomaze, 2023): from `temperature - reach` where one token is certain up to `temperature +
    reach` where all are equally likely, in between by the entropy's share of its maximum to the power of `exponent`.

    As in llama.cpp, the maximum is that of all candidates, also of those that are ruled out.
    """
    if candidates.n_total < 2:
        return
    share = min(max(candidates.softmax().entropy() / math.log(candidates.n_total), 0.0), 1.0)
    least, most = max(temperature - reach, 0.0), temperature + reach
    scale(candidates, least + (most - least) * share**exponent)


def make_temperature(inputs: SamplerInputs) -> LogitsProcessor | None:
    """Returns what scales the logits of a request; None at a fixed temperature of 1."""
    params = inputs.params
    if not inputs.has_fixed_temperature:
        reach, exponent = params.dynatemp_range, params.dynatemp_exponent
        return partial(scale_by_entropy, temperature=params.temperature, reach=reach, exponent=exponent)
    return partial(scale, temperature=params.temperature) if params.temperature != 1 else None
