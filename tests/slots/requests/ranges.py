"""The ranges of the sampling options that are numbers."""

import math

from slots.requests.params import Range, get_range
from slots.requests.sampling_params import SamplingParams

RANGES = {
    name: get_range(field)
    for name, field in SamplingParams.model_fields.items()
    if field.annotation is float or get_range(field) != Range()
}


def is_within(allowed: Range, value: float) -> bool:
    """Whether a value, which must be finite in any case, is in the range."""
    is_open_end = allowed.excludes_minimum and value == allowed.minimum
    return math.isfinite(value) and allowed.minimum <= value <= allowed.maximum and not is_open_end
