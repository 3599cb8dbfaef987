"""Which samplers the chain of a request has, and in which order."""

from functools import partial
from typing import Any

import numpy as np
import pytest

from slots.requests.sampling_params import SamplerName, SamplingParams
from slots.sampling.chain import SAMPLERS, Chain, FusedParams, build_chain
from slots.sampling.sampler_context import LogitsProcessor, SamplerInputs
from slots.sampling.samplers.adaptive_p import AdaptiveP
from slots.sampling.samplers.dry import Dry
from slots.sampling.samplers.infill import Infill
from slots.sampling.samplers.logit_bias import LogitBias
from slots.sampling.samplers.mirostat import MirostatV1, MirostatV2
from slots.sampling.samplers.penalties import Penalties
from slots.sampling.samplers.temperature import scale, scale_by_entropy
from slots.sampling.samplers.truncation import (
    keep_min_p,
    keep_tail_free,
    keep_top_k,
    keep_top_n_sigma,
    keep_top_p,
    keep_typical,
)
from tests.slots.sampling.factories import make_context

NEUTRAL: dict[str, Any] = {
    "repeat_penalty": 1.0,
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "temperature": 1.0,
    "samplers": tuple(name for name in SamplerName if name is not SamplerName.INFILL),
}
ACTIVE: dict[str, Any] = {
    "repeat_penalty": 1.1,
    "dry_multiplier": 0.8,
    "top_n_sigma": 1.0,
    "top_k": 40,
    "tfs_z": 0.9,
    "typical_p": 0.9,
    "top_p": 0.9,
    "min_p": 0.1,
    "xtc_probability": 0.5,
    "temperature": 0.8,
    "adaptive_target": 0.3,
    "samplers": tuple(SamplerName),
}


def make_chain(context: dict[str, Any] | None = None, **params: Any) -> Chain:
    model = make_context(1000, **(context or {"end_token": 1, "end_of_generation": (1,)}))
    return build_chain(SamplerInputs(SamplingParams(**params), (0,), model, np.random.default_rng(1)))


def kind(processor: LogitsProcessor) -> object:
    """The function or class of a processor."""
    return processor.func if isinstance(processor, partial) else type(processor)


def kinds(chain: Chain) -> list[object]:
    return [kind(processor) for processor in chain.processors]


def test_every_sampler_has_a_factory() -> None:
    assert set(SAMPLERS) == set(SamplerName)


def test_neutral_values_leave_no_step() -> None:
    assert make_chain(**NEUTRAL).processors == ()
    assert not make_chain(**NEUTRAL).is_greedy


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("top_k", -1),
        ("top_k", 1000),
        ("top_k", 10**9),
        ("top_n_sigma", 0.0),
        ("repeat_last_n", 0),
        ("dry_multiplier", 0.0),
        ("dry_base", 3.0),
        ("dry_penalty_last_n", 0),
        ("xtc_probability", 0.0),
        ("xtc_threshold", 0.51),
        ("adaptive_target", -0.1),
        ("dynatemp_exponent", 3.0),
    ],
)
def test_a_value_that_turns_a_sampler_off_leaves_no_step(name: str, value: float) -> None:
    needed: dict[str, dict[str, Any]] = {
        "repeat_last_n": {"repeat_penalty": 1.1},
        "dry_penalty_last_n": {"dry_multiplier": 0.8},
    }
    needed["xtc_threshold"] = {"xtc_probability": 1.0}
    assert make_chain(**{**NEUTRAL, **needed.get(name, {}), name: value}).processors == ()


@pytest.mark.parametrize(
    ("name", "value", "processor"),
    [
        ("repeat_penalty", 1.1, Penalties),
        ("frequency_penalty", -0.1, Penalties),
        ("presence_penalty", 0.1, Penalties),
        ("top_k", 999, keep_top_k),
        ("top_p", 0.99, keep_top_p),
        ("min_p", 0.01, keep_min_p),
        ("tfs_z", 0.99, keep_tail_free),
        ("typical_p", 0.99, keep_typical),
        ("top_n_sigma", 0.1, keep_top_n_sigma),
        ("temperature", 1.1, scale),
        ("dynatemp_range", 0.1, scale_by_entropy),
        ("adaptive_target", 0.0, AdaptiveP),
        ("logit_bias", ((1, 1.0),), LogitBias),
        ("ignore_eos", True, LogitBias),
    ],
)
def test_any_other_value_makes_one_step(name: str, value: Any, processor: object) -> None:
    assert kinds(make_chain(**{**NEUTRAL, name: value})) == [processor]


def test_the_steps_have_the_order_that_was_asked_for() -> None:
    order = (SamplerName.TEMPERATURE, SamplerName.MIN_P, SamplerName.TOP_K, SamplerName.PENALTIES, SamplerName.TYP_P)
    steps = kinds(make_chain(**{**ACTIVE, "samplers": order}))
    assert steps == [scale, keep_min_p, keep_top_k, Penalties, keep_typical]


def test_a_sampler_that_is_not_named_is_not_used() -> None:
    assert kinds(make_chain(**{**ACTIVE, "samplers": (SamplerName.TOP_K,)})) == [keep_top_k]
    assert make_chain(**{**ACTIVE, "samplers": ()}).processors == ()


def test_a_sampler_named_twice_is_there_twice() -> None:
    order = (SamplerName.TOP_K, SamplerName.TEMPERATURE, SamplerName.TOP_K)
    assert kinds(make_chain(**{**ACTIVE, "samplers": order})) == [keep_top_k, scale, keep_top_k]


def test_logit_biases_come_first() -> None:
    steps = kinds(make_chain(**{**ACTIVE, "logit_bias": ((1, 1.0),)}))
    assert steps[0] is LogitBias
    assert LogitBias not in steps[1:]


def test_adaptive_p_comes_last_wherever_and_however_often_it_was_named() -> None:
    order = (SamplerName.ADAPTIVE_P, SamplerName.TOP_K, SamplerName.ADAPTIVE_P, SamplerName.TEMPERATURE)
    assert kinds(make_chain(**{**ACTIVE, "samplers": order})) == [keep_top_k, scale, AdaptiveP]


def test_infill_is_used_where_it_is_named() -> None:
    assert kinds(make_chain(samplers=(SamplerName.INFILL,))) == [Infill]


@pytest.mark.parametrize(("version", "processor"), [(1, MirostatV1), (2, MirostatV2)])
def test_mirostat_replaces_all_but_penalties_dry_and_temperature(version: int, processor: type) -> None:
    with_all = kinds(make_chain(**{**ACTIVE, "mirostat": version}))
    assert with_all == [
        *kinds(make_chain(**{**ACTIVE, "samplers": (SamplerName.PENALTIES, SamplerName.DRY)})),
        scale,
        processor,
    ]
    assert kinds(make_chain(**{**ACTIVE, "mirostat": version, "samplers": ()})) == [scale, processor]


def test_mirostat_takes_the_temperature_as_it_is() -> None:
    assert kinds(make_chain(**{**NEUTRAL, "mirostat": 2, "dynatemp_range": 0.5})) == [MirostatV2]


@pytest.mark.parametrize("mirostat", [0, 1, 2])
@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_at_temperature_zero_nothing_is_drawn(temperature: float, mirostat: int) -> None:
    """Samplers that only remove unlikely tokens are left out: they have no effect."""
    greedy = make_chain(**{**NEUTRAL, "top_k": 5, "top_p": 0.5, "temperature": temperature, "mirostat": mirostat})
    assert greedy.processors == ()
    assert greedy.is_greedy


def test_what_may_take_the_most_likely_token_away_stays_at_temperature_zero_with_all_before_it() -> None:
    greedy = make_chain(**{**ACTIVE, "temperature": 0.0, "samplers": (SamplerName.TOP_K, SamplerName.TYP_P)})
    assert not greedy.is_greedy  # as the temperature is not used
    order = (SamplerName.TOP_K, SamplerName.TYP_P, SamplerName.TOP_P, SamplerName.TEMPERATURE, SamplerName.XTC)
    greedy = make_chain(**{**ACTIVE, "temperature": 0.0, "samplers": order})
    assert greedy.is_greedy
    assert kinds(greedy) == [keep_top_k, keep_typical]


def test_a_temperature_that_moves_is_never_greedy() -> None:
    moving = make_chain(**{**NEUTRAL, "temperature": 0.0, "dynatemp_range": 0.5})
    assert not moving.is_greedy
    assert kinds(moving) == [scale_by_entropy]


@pytest.mark.parametrize(
    ("options", "needs_softmax"),
    [
        ({"temperature": 0.0}, False),
        ({"temperature": 0.0, "samplers": (SamplerName.TYP_P, SamplerName.TEMPERATURE)}, True),
        ({"samplers": (SamplerName.TOP_K, SamplerName.TYP_P)}, False),
        ({"samplers": (SamplerName.PENALTIES, SamplerName.MIN_P, SamplerName.TOP_P)}, False),
        ({"samplers": (SamplerName.TOP_P, SamplerName.TOP_K)}, True),
        ({"samplers": (SamplerName.TOP_K, SamplerName.TOP_P), "top_k": 0}, True),
        ({"samplers": (SamplerName.PENALTIES,)}, True),
        ({"samplers": (), "mirostat": 2}, True),
        ({"samplers": (), "mirostat": 1, "temperature": 0.0}, False),
    ],
    ids=str,
)
def test_what_does_not_begin_with_a_search_for_large_logits_needs_softmax(
    options: dict[str, Any], needs_softmax: bool
) -> None:
    """If their options are not neutral."""
    chain = make_chain(**{**ACTIVE, "samplers": (SamplerName.TOP_K, SamplerName.TEMPERATURE), **options})
    assert chain.needs_softmax == needs_softmax


@pytest.mark.parametrize(
    ("options", "fused_params"),
    [
        ({}, FusedParams(top_k=40, top_p=0.95, min_p=0.05, min_keep=0, temperature=0.8)),
        (
            {"samplers": (SamplerName.TOP_K, SamplerName.TEMPERATURE)},
            FusedParams(40, top_p=1.0, min_p=0.0, min_keep=0, temperature=0.8),
        ),
        (
            {"samplers": (SamplerName.TOP_K,), "min_keep": 3},
            FusedParams(40, top_p=1.0, min_p=0.0, min_keep=3, temperature=1.0),
        ),
        ({"top_k": 0}, None),
        ({"top_k": 600}, None),
        ({"temperature": 0.0}, FusedParams(top_k=1, is_greedy=True)),
        ({"temperature": 0.0, "typical_p": 0.9}, None),
        ({"temperature": 0.0, "mirostat": 2}, FusedParams(top_k=1, is_greedy=True)),
        ({"temperature": 1e-35, "top_k": 2}, FusedParams(2, 0.95, 0.05, temperature=1e-35)),
        ({"typical_p": 0.9}, None),
        ({"dynatemp_range": 0.1}, None),
        ({"mirostat": 2}, None),
        ({"samplers": (SamplerName.TOP_K, SamplerName.MIN_P, SamplerName.TOP_P)}, None),
        ({"samplers": (SamplerName.TOP_K, SamplerName.TOP_K)}, None),
        ({"samplers": (SamplerName.TOP_K, SamplerName.ADAPTIVE_P), "adaptive_target": 0.5}, None),
    ],
    ids=str,
)
def test_a_top_k_with_nothing_after_it_but_what_is_usual_is_a_usual_chain(
    options: dict[str, Any], fused_params: FusedParams | None
) -> None:
    assert make_chain(**options).fused_params == fused_params


def test_what_only_changes_some_logits_is_apart_from_the_first_sampler_on_that_needs_all() -> None:
    order = (SamplerName.PENALTIES, SamplerName.TOP_K, SamplerName.DRY)
    parts = make_chain(**{**ACTIVE, "samplers": order, "ignore_eos": True})
    assert [kind(processor) for processor in parts.edits] == [LogitBias, Penalties]
    assert [kind(processor) for processor in parts.samplers] == [keep_top_k, Dry]
    assert parts.processors == parts.edits + parts.samplers


def test_a_sampler_that_is_named_twice_is_the_same_twice() -> None:
    penalized, _top_k, again = make_chain(
        samplers=(SamplerName.PENALTIES, SamplerName.TOP_K, SamplerName.PENALTIES), repeat_penalty=1.1
    ).processors
    assert penalized is again
