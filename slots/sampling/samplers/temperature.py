"""Temperature, fixed or dynamic."""

import math
from functools import partial

import numpy as np

from slots.sampling.logits.candidates import Candidates
from slots.sampling.sampler_context import LogitsProcessor, SamplerInputs


def scale(candidates: Candidates, temperature: float) -> None:
    """Temperature (Ackley et al., 1985): divides logits by it; at 0 and below only the most likely token is kept."""
    if temperature > 0:
        candidates.divide(temperature)
    else:
        candidates.keep(np.array([candidates.argmax()]))


def scale_by_entropy(candidates: Candidates, temperature: float, dynatemp_range: float, exponent: float) -> None:
    """Dynamic temperature (kalomaze, 2023): from `temperature - dynatemp_range` if one token is certain to `temperature
    + dynatemp_range` if all are equally likely, in between by (entropy / maximum entropy) ** exponent.

    As in llama.cpp, the maximum is that of all candidates including masked ones.
    """
    if candidates.n_total < 2:
        return
    share = min(max(candidates.softmax().entropy() / math.log(candidates.n_total), 0.0), 1.0)
    minimum, maximum = max(temperature - dynatemp_range, 0.0), temperature + dynatemp_range
    scale(candidates, minimum + (maximum - minimum) * share**exponent)


def make_temperature(inputs: SamplerInputs) -> LogitsProcessor:
    params = inputs.params
    if not inputs.has_fixed_temperature:
        return partial(
            scale_by_entropy,
            temperature=params.temperature,
            dynatemp_range=params.dynatemp_range,
            exponent=params.dynatemp_exponent,
        )
    return partial(scale, temperature=params.temperature)
