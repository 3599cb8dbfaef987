import math
from typing import Any

import pytest

from slots.errors import InvalidRequest
from slots.request import CompletionRequest, SamplingParams


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("top_p", 1.5),
        ("top_p", -0.1),
        ("min_p", 2.0),
        ("repeat_penalty", 0.0),
        ("repeat_last_n", -2),
        ("seed", -2),
        ("seed", 2**32),
        ("n_probs", -1),
        ("n_probs", 129),
        ("logit_bias", ((1, math.nan),)),
        ("logit_bias", ((1, math.inf),)),
    ],
)
def test_a_sampling_value_out_of_range_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        SamplingParams(**{field: value})
    assert refused.value.field == field
    assert str(refused.value).startswith(f"{field}: expected ")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", ()),
        ("n_predict", -2),
        ("n_keep", -2),
        ("slot_id", -2),
        ("stop", ("ok", "")),
        ("stop", ("word",) * 257),
    ],
)
def test_a_request_value_out_of_range_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        CompletionRequest(**{"prompt": (1,), field: value})
    assert refused.value.field == field
