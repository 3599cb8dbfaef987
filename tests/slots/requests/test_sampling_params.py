"""Which options there are, and which values they take."""

import math
from typing import Any

import pytest

from slots.errors import InvalidRequest
from slots.requests.sampling_params import (
    MAX_SAMPLERS,
    MAX_SEED,
    MAX_SEQUENCE_BREAKERS,
    MIN_SEED,
    SamplerName,
    SamplingParams,
)
from tests.slots.requests.ranges import RANGES

ENDS: dict[str, tuple[list[float], list[float]]] = {
    "temperature": ([-3e38, 0.0, 3e38], []),
    "dynatemp_range": ([0.0, 3e38], [-0.001]),
    "dynatemp_exponent": ([0.0, 3e38], [-0.001]),
    "top_p": ([0.0, 1.0], [-0.001, 1.001]),
    "min_p": ([0.0, 1.0], [-0.001, 1.001]),
    "tfs_z": ([0.0, 1.0], [-0.001, 1.001]),
    "typical_p": ([0.0, 1.0], [-0.001, 1.001]),
    "top_n_sigma": ([-3e38, 3e38], []),
    "xtc_probability": ([0.0, 1.0], [-0.001, 1.001]),
    "xtc_threshold": ([0.0, 1.0], [-0.001, 1.001]),
    "adaptive_target": ([-3e38, 1.0], [1.001]),
    "adaptive_decay": ([0.0, 0.99], [-0.001, 0.991]),
    "repeat_penalty": ([5e-324, 3e38], [0.0, -0.001]),
    "repeat_last_n": ([-1, 10**9], [-2]),
    "presence_penalty": ([-3e38, 3e38], []),
    "frequency_penalty": ([-3e38, 3e38], []),
    "dry_multiplier": ([0.0, 3e38], [-0.001]),
    "dry_base": ([1.0, 3e38], [0.999]),
    "dry_allowed_length": ([0, 10**9], [-1]),
    "dry_penalty_last_n": ([-1, 10**9], [-2]),
    "mirostat": ([0, 2], [-1, 3]),
    "mirostat_tau": ([0.0, 3e38], [-0.001]),
    "mirostat_eta": ([0.0, 3e38], [-0.001]),
    "min_keep": ([0, 10**9], [-1]),
    "seed": ([MIN_SEED, -1, MAX_SEED], [MIN_SEED - 1, MAX_SEED + 1]),
    "n_probs": ([0, 128], [-1, 129]),
}
"""Values at the ends of each range, and beyond them."""

EXPECTED = {
    "temperature": "a finite number",
    "dynatemp_range": "a number, 0 or more",
    "top_p": "a number from 0 to 1",
    "adaptive_target": "a number, 1 or less",
    "adaptive_decay": "a number from 0 to 0.99",
    "repeat_penalty": "a number above 0",
    "repeat_last_n": "an integer, -1 or more",
    "dry_base": "a number, 1 or more",
    "mirostat": "an integer from 0 to 2",
    "seed": "an integer from -9223372036854775808 to 18446744073709551615",
}


def refusal(name: str, value: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as refused:
        SamplingParams(**{name: value})
    return refused.value


def test_the_ends_of_all_ranges_are_tried() -> None:
    assert set(ENDS) == set(RANGES)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, (inside, _) in ENDS.items() for value in inside])
def test_a_value_at_the_end_of_its_range_is_taken(name: str, value: float) -> None:
    assert getattr(SamplingParams(**{name: value}), name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, (_, outside) in ENDS.items() for value in [*outside, math.nan, math.inf, -math.inf]],
)
def test_a_value_out_of_its_range_is_refused_by_name(name: str, value: float) -> None:
    error = refusal(name, value)
    assert error.field == name
    assert str(error) == f"{name}: expected {RANGES[name]}, got {value!r}"


@pytest.mark.parametrize(("name", "expected"), EXPECTED.items())
def test_the_refusal_says_what_was_expected(name: str, expected: str) -> None:
    assert str(refusal(name, math.nan)) == f"{name}: expected {expected}, got nan"


def test_the_defaults_are_values_that_are_taken() -> None:
    SamplingParams()


def test_top_k_may_be_any_number() -> None:
    for top_k in (-(10**9), -1, 0, 10**9):
        assert SamplingParams(top_k=top_k).top_k == top_k


def test_a_sampler_may_be_named_several_times_but_the_order_has_a_bound() -> None:
    SamplingParams(samplers=(SamplerName.TOP_K,) * MAX_SAMPLERS)
    SamplingParams(samplers=())
    error = refusal("samplers", (SamplerName.TOP_K,) * (MAX_SAMPLERS + 1))
    assert str(error) == "samplers: expected at most 16, got 17"


def test_a_sequence_breaker_must_not_be_empty() -> None:
    SamplingParams(dry_sequence_breakers=())
    error = refusal("dry_sequence_breakers", ("a", ""))
    assert str(error) == "dry_sequence_breakers: expected strings that are not empty, got ['a', '']"


def test_there_is_a_bound_to_the_sequence_breakers() -> None:
    SamplingParams(dry_sequence_breakers=("a",) * MAX_SEQUENCE_BREAKERS)
    error = refusal("dry_sequence_breakers", ("a",) * (MAX_SEQUENCE_BREAKERS + 1))
    assert str(error) == "dry_sequence_breakers: expected at most 32 strings, got 33"


@pytest.mark.parametrize("bias", [math.nan, math.inf])
def test_a_bias_that_is_no_number_is_refused(bias: float) -> None:
    error = refusal("logit_bias", ((3, 1.0), (7, bias)))
    assert str(error) == f"logit_bias: expected a finite bias for token 7, got {bias!r}"


def test_a_bias_may_rule_a_token_out() -> None:
    assert SamplingParams(logit_bias=((3, -math.inf),)).logit_bias == ((3, -math.inf),)
