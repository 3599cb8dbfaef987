"""Choosing from_top the largest logits of rows is choosing from the rows."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.llama import Logits, TopTokens
from slots.requests.sampling_params import DEFAULT_SAMPLERS, SamplerName
from slots.sampling import CandidateSampler, SampledToken, Sampler
from slots.sampling.logits.workspace import Workspace
from tests.slots.sampling.factories import examples, make_breakers, make_row, make_sampler

N_VOCAB = 2000
N_CANDIDATES = 256
PROMPT = tuple(range(40)) + tuple(range(10)) * 3

USUAL: list[dict[str, Any]] = [
    {},
    {"repeat_penalty": 1.1},
    {"repeat_penalty": 2.0, "frequency_penalty": 0.5, "presence_penalty": 0.3, "top_k": 3},
    {"top_k": 1, "temperature": 3.0},
    {"top_k": 150, "top_p": 0.999, "min_p": 0.0, "temperature": 1.0, "repeat_penalty": 1.3},
    {"top_p": 0.0, "min_p": 1.0, "min_keep": 7, "logit_bias": ((5, -9.0), (6, -math.inf))},
    {"samplers": (SamplerName.DRY, SamplerName.TOP_K, SamplerName.MIN_P), "dry_multiplier": 0.8},
]
GREEDY: list[dict[str, Any]] = [
    {"temperature": 0.0},
    {"temperature": 0.0, "repeat_penalty": 1.5, "presence_penalty": 2.0},
    {"temperature": 0.0, "dry_multiplier": 2.0, "logit_bias": ((3, -4.0),)},
]
ALONE: list[dict[str, Any]] = [
    {"xtc_probability": 0.5, "xtc_threshold": 0.05, "repeat_penalty": 1.2},
    {"dynatemp_range": 0.5, "typical_p": 0.9, "tfs_z": 0.95},
    {"n_probs": 5, "post_sampling_probs": True, "dry_multiplier": 0.8, "repeat_penalty": 1.1},
    {"adaptive_target": 0.4, "samplers": (*DEFAULT_SAMPLERS, SamplerName.ADAPTIVE_P)},
    {"samplers": (SamplerName.TOP_K, SamplerName.PENALTIES, SamplerName.TOP_N_SIGMA), "top_n_sigma": 1.0, "n_probs": 3}
    | {"repeat_penalty": 0.7, "post_sampling_probs": True},
    {"samplers": (SamplerName.TOP_K, SamplerName.INFILL)},
    {"temperature": 0.0, "xtc_probability": 1.0, "samplers": (SamplerName.TOP_K, SamplerName.XTC, "temperature")},
    {"temperature": 0.0, "n_probs": 2, "post_sampling_probs": True},
]
KINDS = ("normal", "narrow", "peaked", "ascending")
MakeOptions = Sequence[dict[str, Any]]


def make_samplers(options: MakeOptions) -> list[Sampler]:
    context = {"find_sequence_breakers": lambda _strings: make_breakers({7: [()]})}
    return [make_sampler(N_VOCAB, PROMPT, context, seed=number, **params) for number, params in enumerate(options)]


def largest(rows: Logits, random: np.random.Generator) -> TopTokens:
    """As llama.cpp hands them out: in any order, and any of those that are equal at the end."""
    order = random.permuted(np.tile(np.arange(rows.shape[1]), (len(rows), 1)), axis=1)
    shuffled = np.take_along_axis(rows, order, axis=1)
    kept = np.argpartition(-shuffled, N_CANDIDATES, axis=1)[:, :N_CANDIDATES]
    tokens = np.take_along_axis(order, kept, axis=1)
    return TopTokens(np.arange(len(rows)), tokens.astype(np.int32), np.take_along_axis(rows, tokens, axis=1))


def sample_full_rows(samplers: Sequence[Sampler], rows: Logits) -> list[SampledToken]:
    workspace = Workspace(N_VOCAB)
    return [one.sample(row.copy(), workspace) for one, row in zip(samplers, rows, strict=True)]


@pytest.mark.parametrize("options", [USUAL, GREEDY, ALONE, USUAL[1:2], USUAL + GREEDY + ALONE])
@pytest.mark.parametrize("kind", KINDS)
def test_the_choices_are_those_from_whole_rows(options: MakeOptions, kind: str) -> None:
    random = np.random.default_rng(3)
    from_top, whole, candidates = make_samplers(options), make_samplers(options), CandidateSampler(N_CANDIDATES)
    for step in range(20):
        rows = np.stack([make_row(100 * step + number, N_VOCAB, kind) for number in range(len(options))])
        assert candidates.sample(from_top, largest(rows, random)) == sample_full_rows(whole, rows)


FEW_RECENT = st.fixed_dictionaries(
    {
        "top_k": st.integers(1, 180),
        "repeat_penalty": st.sampled_from([1.0, 1.1, 3.0]),
        "frequency_penalty": st.sampled_from([0.0, 1.5]),
        "temperature": st.sampled_from([0.0, 0.7, 5.0]),
        "repeat_last_n": st.just(19),
    }
)


@examples(150)
@given(st.integers(0, 2**32 - 1), st.sampled_from([20, 300, 2000]), st.sampled_from([-50.0, 0.0, 50.0]), FEW_RECENT)
def test_equal_logits_make_no_difference_as_long_as_all_of_them_are_there(
    seed: int, n_levels: int, shift: float, options: dict[str, Any]
) -> None:
    random = np.random.default_rng(seed)
    levels = np.sort(random.standard_normal(n_levels).astype(np.float32) * 4)[::-1] + np.float32(shift)
    # The first 16 levels have 231 tokens, all of which are there; of the level where the candidates end some are.
    level_of = np.repeat(np.arange(16), [*random.multinomial(200, np.ones(15) / 15), N_VOCAB - 200])
    level_of[231:] = random.integers(16, n_levels, N_VOCAB - 231)
    row = random.permuted(levels[level_of])[None]
    recent = tuple(random.integers(0, N_VOCAB, 19).tolist())
    from_top, whole = (make_sampler(N_VOCAB, recent, **options) for _ in range(2))
    assert from_top.traits.n_top_logits_needed is not None
    assert from_top.traits.n_top_logits_needed <= 200
    sampled = CandidateSampler(N_CANDIDATES).sample([from_top], largest(row, random))
    assert sampled == sample_full_rows([whole], row)


@pytest.mark.parametrize("n_rows", [1, 3])
@pytest.mark.parametrize("options", [{}, {"top_k": 100}, {"temperature": 0.0}, {"xtc_probability": 0.5}])
def test_of_equal_logits_that_are_not_all_there_none_is_chosen_so_that_the_choice_is_the_same(
    options: dict[str, Any], n_rows: int
) -> None:
    rows = np.zeros((n_rows, N_VOCAB), np.float32)
    rows[:, 100:1000] = 1.0
    rows[:, 1500] = 1.5
    for seed in range(5):
        top = largest(rows, np.random.default_rng(seed))
        sampled = CandidateSampler(N_CANDIDATES).sample(make_samplers([options] * n_rows), top)
        assert sampled == [SampledToken(1500, None)] * n_rows


@pytest.mark.parametrize("options", [{}, {"temperature": 0.0}, {"repeat_penalty": 1.1}])
def test_where_all_are_equal_one_of_those_that_are_there_is_chosen(options: dict[str, Any]) -> None:
    row = np.full((1, N_VOCAB), 2.0, np.float32)
    top = largest(row, np.random.default_rng(0))
    (sampled,) = CandidateSampler(N_CANDIDATES).sample([make_sampler(N_VOCAB, **options)], top)
    assert isinstance(sampled, SampledToken)
    assert sampled.token in top.tokens


@pytest.mark.parametrize("options", [{}, {"temperature": 0.0}, {"tfs_z": 0.5}])
def test_a_row_that_is_no_numbers_is_an_error_of_its_request_alone(options: dict[str, Any]) -> None:
    rows = np.stack([make_row(number, N_VOCAB, "normal") for number in range(3)])
    top = largest(rows, np.random.default_rng(0))
    top.logits[1, 17] = np.nan
    three = make_samplers([options] * 3)
    first, second, third = CandidateSampler(N_CANDIDATES).sample(three, top)
    assert isinstance(second, ArithmeticError)
    assert [first, third] == [sample_full_rows(make_samplers([options] * 3), rows)[n] for n in (0, 2)]


NOT_DECIDED: list[dict[str, Any]] = [
    {"top_k": 0},
    {"top_n_sigma": 1.0},
    {"mirostat": 1},
    {"mirostat": 2},
    {"n_probs": 1},
    {"n_probs": 1, "temperature": 0.0},
    {"samplers": ()},
    {"samplers": (SamplerName.MIN_P, SamplerName.TOP_K)},
    {"samplers": (SamplerName.INFILL,)},
    {"repeat_penalty": 0.9},
    {"presence_penalty": -0.1},
    {"frequency_penalty": -0.1, "presence_penalty": 5.0},
    {"logit_bias": ((4, 0.5),)},
    {"logit_bias": ((4, -1.0), (4, 1.5))},
    {"typical_p": 0.9, "samplers": (SamplerName.TYP_P, SamplerName.TOP_K)},
]


@pytest.mark.parametrize("options", NOT_DECIDED)
def test_for_some_options_no_number_of_largest_logits_is_enough(options: dict[str, Any]) -> None:
    assert make_sampler(N_VOCAB, PROMPT, **options).traits.n_top_logits_needed is None


DECIDED: list[tuple[dict[str, Any], int]] = [
    ({}, 40),
    ({"temperature": 0.0}, 1),
    ({"temperature": 0.0, "repeat_penalty": 1.1}, 65),
    ({"repeat_penalty": 1.1}, 104),
    ({"repeat_penalty": 1.1, "dry_multiplier": 0.8}, 168),
    ({"repeat_penalty": 1.1, "repeat_last_n": -1}, 1040),
    ({"logit_bias": ((4, -0.5), (9, -math.inf))}, 42),
    ({"logit_bias": ((4, 1.0), (4, -1.5))}, 41),
    ({"top_k": 7, "top_p": 0.5, "mirostat": 0, "n_probs": 4, "post_sampling_probs": True}, 7),
]


@pytest.mark.parametrize(("options", "n"), DECIDED)
def test_for_others_it_is_as_many_as_are_looked_for_or_penalized(options: dict[str, Any], n: int) -> None:
    """And one more, which shows whether others tie with the last one."""
    assert make_sampler(N_VOCAB, PROMPT, **options).traits.n_top_logits_needed == n + 1


LOWERING = st.fixed_dictionaries(
    {
        "top_k": st.integers(1, 100),
        "repeat_last_n": st.integers(1, 120),
        "repeat_penalty": st.floats(1.0, 20.0),
        "presence_penalty": st.floats(0.0, 30.0),
        "logit_bias": st.lists(st.tuples(st.integers(0, N_VOCAB - 1), st.floats(-100.0, 0.0)), max_size=30).map(tuple),
    }
)


@examples(60)
@given(st.integers(0, 2**32 - 1), st.sampled_from(KINDS), LOWERING)
def test_whatever_lowers_logits_the_choice_is_that_from_the_whole_row(
    seed: int, kind: str, options: dict[str, Any]
) -> None:
    random = np.random.default_rng(seed)
    rows = make_row(seed, N_VOCAB, kind)[None]
    most_likely = tuple(np.argsort(-rows[0])[:140].tolist())  # which it hurts most to penalize
    from_top, whole = (make_sampler(N_VOCAB, most_likely, **options) for _ in range(2))
    assert from_top.traits.n_top_logits_needed is not None
    assert from_top.traits.n_top_logits_needed <= N_CANDIDATES
    for _ in range(3):
        sampled = CandidateSampler(N_CANDIDATES).sample([from_top], largest(rows, random))
        assert sampled == sample_full_rows([whole], rows)
