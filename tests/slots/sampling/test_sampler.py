import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.errors import InvalidRequest
from slots.requests.events import PositionLogprobs
from slots.requests.sampling_params import DEFAULT_SAMPLERS, SamplerName, SamplingParams
from slots.sampling import SampledToken, Sampler
from slots.sampling.sequence_breakers import SequenceBreakers
from tests.slots.sampling.factories import (
    chi_square,
    chi_square_bound,
    exact_softmax,
    examples,
    make_breakers,
    make_context,
    make_logits,
    make_row,
    make_sampler,
    sample,
    sample_tokens,
)

ALL = tuple(SamplerName)
FLAT = [1.0] * 20
ROW = make_logits(0.2, 0.7, 0.1)


def get_logprobs(choice: SampledToken) -> PositionLogprobs:
    assert choice.logprobs is not None
    return choice.logprobs


# Seeds


def test_the_same_seed_and_options_give_the_same_tokens() -> None:
    def tokens() -> list[int]:
        return sample_tokens(make_sampler(20, xtc_probability=0.5, temperature=1.5), FLAT, 50)

    assert tokens() == tokens()


@pytest.mark.parametrize("samplers", [(), DEFAULT_SAMPLERS, (SamplerName.XTC,)])
def test_samplers_with_one_seed_do_not_share_a_generator(samplers: tuple[SamplerName, ...]) -> None:
    options: dict[str, Any] = {"samplers": samplers, "xtc_probability": 0.5, "xtc_threshold": 0.01}
    alone = sample_tokens(make_sampler(20, **options), FLAT, 40)
    one, other = make_sampler(20, **options), make_sampler(20, **options)
    turns = [(sample(one, FLAT).token, sample(other, FLAT).token) for _ in range(40)]
    assert turns == list(zip(alone, alone, strict=True))


def test_different_seeds_give_different_tokens() -> None:
    texts = {tuple(sample_tokens(make_sampler(20, samplers=(), seed=seed), FLAT, 20)) for seed in range(30)}
    assert len(texts) == 30


def test_a_seed_that_is_left_open_is_drawn_and_told() -> None:
    chain = make_sampler(20, samplers=(), seed=-1)
    tokens = sample_tokens(chain, FLAT, 30)
    assert sample_tokens(make_sampler(20, samplers=(), seed=chain.seed), FLAT, 30) == tokens
    assert make_sampler(20, samplers=(), seed=-1).seed != chain.seed


def test_a_seed_that_is_given_is_told() -> None:
    assert make_sampler(3, seed=2**32 - 1).seed == 2**32 - 1


# Temperature 0


@pytest.mark.parametrize("temperature", [0.0, -0.5, -3e38])
@examples(40)
@given(order=st.permutations(ALL[:10]), adaptive=st.booleans(), seed=st.integers(0, 99))
def test_temperature_zero_takes_the_lowest_of_the_most_likely_tokens_in_any_order(
    temperature: float, order: list[SamplerName], adaptive: bool, seed: int
) -> None:
    samplers = (*order, SamplerName.ADAPTIVE_P) if adaptive else tuple(order)
    row = make_row(seed, 300, "tied")
    options: dict[str, Any] = {"tfs_z": 0.9, "top_n_sigma": 1.0, "adaptive_target": 0.3}
    token = sample(make_sampler(300, samplers=samplers, temperature=temperature, **options), row).token
    assert token == int(row.argmax())


@pytest.mark.parametrize("mirostat", [1, 2])
def test_temperature_zero_is_greedy_with_mirostat_too(mirostat: int) -> None:
    tokens = sample_tokens(
        make_sampler(4, temperature=0.0, mirostat=mirostat, mirostat_tau=9.0), [1.0, 3.0, 3.0, 2.9], 30
    )
    assert tokens == [1] * 30


def test_temperature_zero_with_a_range_is_not_greedy() -> None:
    chain = make_sampler(20, samplers=(SamplerName.TEMPERATURE,), temperature=0.0, dynatemp_range=1.0)
    assert len(set(sample_tokens(chain, FLAT, 50))) > 5


def test_temperature_zero_that_is_not_among_the_samplers_is_not_used() -> None:
    chain = make_sampler(20, samplers=(SamplerName.TOP_P,), temperature=0.0)
    assert len(set(sample_tokens(chain, FLAT, 50))) > 5


def test_a_temperature_next_to_zero_takes_the_most_likely_token() -> None:
    for temperature in (1e-30, 1e-46, 1e-300):
        chain = make_sampler(4, temperature=temperature, samplers=(SamplerName.TEMPERATURE,))
        assert sample_tokens(chain, [-1.0, 0.0, -0.1, -np.inf], 20) == [1] * 20


def test_top_k_of_one_takes_the_most_likely_token_at_any_temperature() -> None:
    assert sample_tokens(make_sampler(3, temperature=100.0, top_k=1), [1.0, 3.0, 2.9], 30) == [1] * 30


# Frequencies


def test_draws_without_samplers_follow_the_softmax() -> None:
    p = np.array([0.4, 0.25, 0.15, 0.1, 0.07, 0.03])
    chain = make_sampler(6, samplers=(), temperature=1.0, seed=11)
    counts = np.bincount(sample_tokens(chain, make_logits(*p), 20_000), minlength=6)
    assert chi_square(counts, p) < chi_square_bound(6)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_draws_at_a_temperature_follow_the_power_of_the_probabilities(temperature: float) -> None:
    p = np.array([0.4, 0.25, 0.15, 0.1, 0.07, 0.03])
    chain = make_sampler(6, samplers=(SamplerName.TEMPERATURE,), temperature=temperature, seed=13)
    counts = np.bincount(sample_tokens(chain, make_logits(*p), 8000), minlength=6)
    powers = p ** (1 / temperature)
    assert chi_square(counts, powers / powers.sum()) < chi_square_bound(6)


def test_xtc_takes_the_top_away_as_often_as_its_probability_says() -> None:
    """Token 0 is drawn with 0.7 times its probability, within 4 standard deviations of 4,000 draws."""
    chain = make_sampler(3, samplers=(SamplerName.XTC,), xtc_probability=0.3, xtc_threshold=0.2, seed=14)
    n_first = sample_tokens(chain, make_logits(0.6, 0.3, 0.1), 4000).count(0)
    p = 0.7 * 0.6
    assert abs(n_first - 4000 * p) < 4 * math.sqrt(4000 * p * (1 - p))


# The order of samplers


def drawn(row: Any, n: int = 300, **params: Any) -> set[int]:
    """All tokens that n draws give."""
    return set(sample_tokens(make_sampler(len(row), **params), row, n))


def test_min_p_before_the_temperature_sees_the_probabilities_of_the_model() -> None:
    row = make_logits(0.6, 0.3, 0.1)
    options: dict[str, Any] = {"temperature": 5.0, "min_p": 0.4}
    assert drawn(row, samplers=(SamplerName.MIN_P, SamplerName.TEMPERATURE), **options) == {0, 1}
    assert drawn(row, samplers=(SamplerName.TEMPERATURE, SamplerName.MIN_P), **options) == {0, 1, 2}


def test_penalties_before_top_k_decide_who_is_on_top() -> None:
    row = [3.0, 2.0, 1.0]
    options: dict[str, Any] = {"presence_penalty": 1.5, "repeat_last_n": 1, "top_k": 1, "n": 1}
    assert drawn(row, samplers=(SamplerName.PENALTIES, SamplerName.TOP_K), **options) == {1}
    assert drawn(row, samplers=(SamplerName.TOP_K, SamplerName.PENALTIES), **options) == {0}


def test_a_sampler_that_is_not_named_is_not_used() -> None:
    strict: dict[str, Any] = {
        "top_k": 1,
        "top_p": 0.01,
        "min_p": 1.0,
        "typical_p": 0.01,
        "tfs_z": 0.0,
        "top_n_sigma": 0.01,
    }
    assert drawn(make_logits(0.4, 0.35, 0.25), samplers=(SamplerName.TEMPERATURE,), **strict) == {0, 1, 2}


def test_a_sampler_named_twice_is_applied_twice() -> None:
    def gap(*samplers: SamplerName) -> float:
        chain = make_sampler(2, samplers=samplers, presence_penalty=0.5, n_probs=2, post_sampling_probs=True)
        top = {entry.token: entry.logprob for entry in get_logprobs(sample(chain, [2.0, 2.0])).top}
        return top[1] - top[0]

    assert gap(SamplerName.PENALTIES) == pytest.approx(0.5, abs=1e-5)
    assert gap(SamplerName.PENALTIES, SamplerName.PENALTIES) == pytest.approx(1.0, abs=1e-5)


def test_mirostat_ignores_top_k_and_uses_penalties() -> None:
    options: dict[str, Any] = {"mirostat": 2, "mirostat_tau": 9.0, "top_k": 1, "temperature": 1.0}
    assert drawn(FLAT, **options) == set(range(20))
    assert drawn(FLAT, n=1, prompt=tuple(range(19)), presence_penalty=99.0, **options) == {19}


# Tokens that look back


def test_chosen_tokens_are_penalized_too() -> None:
    chain = make_sampler(4, temperature=0.0, repeat_penalty=10.0)
    assert [sample(chain, [0.5, 3.0, 2.0, 1.0]).token for _ in range(3)] == [1, 2, 3]


def test_a_repetition_of_chosen_tokens_is_ended_by_dry() -> None:
    """1, 2 and 3 in turn are the most likely tokens by 6. The penalties are 2 and 4, and then 8."""
    chain = make_sampler(4, prompt=(1, 2, 3, 1, 2, 3), temperature=0.0, dry_multiplier=1.0, dry_base=2.0)
    rows = [[6.0 if token == turn % 3 + 1 else 0.0 for token in range(4)] for turn in range(4)]
    assert [sample(chain, row).token for row in rows] == [1, 2, 0, 1]
    free = make_sampler(4, prompt=(1, 2, 3, 1, 2, 3), temperature=0.0)
    assert [sample(free, row).token for row in rows] == [1, 2, 3, 1]


def test_sequence_breakers_are_found_by_their_strings() -> None:
    asked: list[tuple[str, ...]] = []

    def find(strings: Any) -> SequenceBreakers:
        asked.append(tuple(strings))
        return make_breakers({1: {()}})

    def token(**params: Any) -> int:
        options = SamplingParams(temperature=0.0, repeat_penalty=1.0, dry_multiplier=9.0, **params)
        context = make_context(4, find_sequence_breakers=find)
        return sample(Sampler(options, (1, 2, 3, 1, 2), context), [0.0, 0.0, 0.0, 1.0]).token

    assert token(dry_sequence_breakers=("x", "yz")) == 3
    assert asked == [("x", "yz")]


def test_line_ends_are_spared_by_the_penalties_when_asked_for() -> None:
    options: dict[str, Any] = {"prompt": (0, 1), "context": {"newline": 1}, "temperature": 0.0, "presence_penalty": 2.0}
    row = [3.0, 3.0, 2.0]
    assert sample(make_sampler(3, penalize_nl=False, **options), row).token == 1
    assert sample(make_sampler(3, penalize_nl=True, **options), row).token == 2


# Tokens that never come


@pytest.mark.parametrize("mirostat", [0, 1, 2])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_with_ignore_eos_no_end_of_a_text_comes(temperature: float, mirostat: int) -> None:
    options: dict[str, Any] = {"temperature": temperature, "mirostat": mirostat, "mirostat_tau": 9.0}
    context = {"end_token": 1, "end_of_generation": (1, 2)}
    row = [1.0, 9.0, 8.0, 1.0]
    assert drawn(row, context=context, ignore_eos=True, **options) <= {0, 3}
    assert drawn(row, context=context, **options) & {1, 2}


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_tokens_that_the_model_rules_out_never_come(temperature: float) -> None:
    options: dict[str, Any] = {"temperature": temperature, "logit_bias": ((1, 50.0),)}
    assert drawn([1.0, 9.0, 1.0], context={"suppressed": (1,)}, **options) <= {0, 2}


@pytest.mark.parametrize("options", [{"ignore_eos": True}, {"logit_bias": ((1, -math.inf),)}])
def test_an_end_that_is_ruled_out_does_not_come_by_infill_either(options: dict[str, Any]) -> None:
    """In a flat distribution no token is likely enough to be kept, and infill would end the text."""
    context = {"end_token": 1, "end_of_generation": (1,), "output_bytes": lambda token: b"%d" % token}
    tokens = drawn(FLAT, n=50, context=context, samplers=(SamplerName.INFILL,), **options)
    assert 1 not in tokens
    assert tokens


def test_a_bias_changes_the_choice() -> None:
    assert sample(make_sampler(2, temperature=0.0, logit_bias=((0, 5.0),)), [1.0, 3.0]).token == 0


ways = pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.0},
        {"samplers": ()},
        {"samplers": (SamplerName.TOP_K,), "top_k": 1},
        {"samplers": (SamplerName.TOP_P,), "top_p": 0.5},
        {"samplers": (SamplerName.MIN_P,), "min_p": 0.5},
        {"samplers": (SamplerName.TOP_N_SIGMA,), "top_n_sigma": 1.0},
        {"samplers": (SamplerName.TYP_P,), "typical_p": 0.5},
        {"samplers": (SamplerName.TFS_Z,), "tfs_z": 0.5},
        {"samplers": (SamplerName.XTC,), "xtc_probability": 1.0, "xtc_threshold": 0.0},
        {"samplers": (SamplerName.TEMPERATURE,), "temperature": 0.5},
        {"samplers": (SamplerName.TEMPERATURE,), "temperature": 1e-300},
        {"samplers": (SamplerName.TEMPERATURE,), "dynatemp_range": 0.5},
        {"samplers": (SamplerName.ADAPTIVE_P,), "adaptive_target": 0.5},
        {"samplers": (SamplerName.INFILL,)},
        {"samplers": (SamplerName.TYP_P, SamplerName.TEMPERATURE), "typical_p": 0.5, "temperature": 0.0},
        {"samplers": ALL},
        {"mirostat": 1},
        {"mirostat": 2},
    ],
    ids=str,
)


@ways
@pytest.mark.parametrize("n_probs", [0, 2])
@pytest.mark.parametrize("size", [1, 5, 3000])
def test_ruling_out_every_token_is_an_error_that_names_the_field(
    options: dict[str, Any], size: int, n_probs: int
) -> None:
    context = {"end_token": 0, "end_of_generation": (0,)}
    barred = tuple((token, -math.inf) for token in range(size))
    for post in (False, True):
        chain = make_sampler(
            size, context=context, logit_bias=barred, n_probs=n_probs, post_sampling_probs=post, **options
        )
        with pytest.raises(InvalidRequest) as refused:
            sample(chain, np.arange(size, dtype=np.float32))
        assert refused.value.field == "logit_bias"


# Probabilities


CHANGING: list[dict[str, Any]] = [
    {},
    {"logit_bias": ((0, 50.0), (1, -math.inf))},
    {"repeat_penalty": 3.0, "presence_penalty": 2.0},
    {"temperature": 0.3},
    {"samplers": DEFAULT_SAMPLERS[::-1], "repeat_penalty": 3.0, "temperature": 0.3},
    {"samplers": (SamplerName.TEMPERATURE, SamplerName.PENALTIES), "temperature": 0.3, "frequency_penalty": 2.0},
    {"samplers": (SamplerName.PENALTIES, SamplerName.TEMPERATURE, SamplerName.PENALTIES), "presence_penalty": 1.0},
    {"temperature": 0.0, "logit_bias": ((0, 50.0),)},
    {"mirostat": 2, "repeat_penalty": 3.0},
    {"samplers": (SamplerName.ADAPTIVE_P,), "adaptive_target": 0.2, "logit_bias": ((2, 1.0),)},
    {"dry_multiplier": 1.0, "dry_allowed_length": 0, "temperature": 3e38},
]


@pytest.mark.parametrize("options", CHANGING, ids=str)
@pytest.mark.parametrize("size", [3, 3000])
def test_before_the_chain_they_are_the_softmax_of_the_untouched_row(options: dict[str, Any], size: int) -> None:
    row = np.append(ROW, np.full(size - 3, -20.0)).astype(np.float32)
    expected = np.log(exact_softmax(row))
    chain = make_sampler(size, prompt=(0, 1, 2), n_probs=3, **options)
    for _ in range(5):
        choice = sample(chain, row)
        logprobs = get_logprobs(choice)
        assert [entry.token for entry in logprobs.top] == [1, 0, 2]
        assert [entry.logprob for entry in logprobs.top] == pytest.approx(expected[[1, 0, 2]], abs=1e-5)
        assert logprobs.sampled.token == choice.token
        assert logprobs.sampled.logprob == pytest.approx(expected[choice.token], abs=1e-5)


@pytest.mark.parametrize("options", [options for options in CHANGING if options.get("temperature") != 0.0], ids=str)
@pytest.mark.parametrize("size", [3, 100])
def test_after_the_chain_they_add_up_to_one(options: dict[str, Any], size: int) -> None:
    row = np.append(ROW, np.linspace(-3, -2, size - 3)).astype(np.float32)
    chain = make_sampler(size, prompt=(0, 1), n_probs=128, post_sampling_probs=True, **options)
    for _ in range(5):
        choice = sample(chain, row)
        logprobs = get_logprobs(choice)
        assert math.fsum(math.exp(entry.logprob) for entry in logprobs.top) == pytest.approx(1.0, abs=1e-6)
        assert all(one.logprob >= other.logprob for one, other in pairwise(logprobs.top))
        assert logprobs.sampled in logprobs.top
        assert logprobs.sampled.token == choice.token


def test_after_the_chain_they_are_those_of_the_tokens_that_are_left() -> None:
    chain = make_sampler(3, top_k=2, min_p=0.0, temperature=0.5, top_p=1.0, n_probs=3, post_sampling_probs=True)
    logprobs = get_logprobs(sample(chain, ROW))
    assert [entry.token for entry in logprobs.top] == [1, 0]
    assert [math.exp(entry.logprob) for entry in logprobs.top] == pytest.approx([0.49 / 0.53, 0.04 / 0.53], rel=1e-5)


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_after_temperature_zero_one_token_has_all_of_it(temperature: float) -> None:
    chain = make_sampler(3, temperature=temperature, n_probs=3, post_sampling_probs=True)
    logprobs = get_logprobs(sample(chain, ROW))
    assert [(entry.token, entry.logprob) for entry in logprobs.top] == [(1, 0.0)]
    assert logprobs.sampled == logprobs.top[0]


@pytest.mark.parametrize("post", [False, True])
def test_probabilities_are_left_out_unless_asked_for(post: bool) -> None:
    assert sample(make_sampler(2, post_sampling_probs=post), [1.0, 2.0]).logprobs is None


@pytest.mark.parametrize("post", [False, True])
def test_asking_for_probabilities_changes_no_choice(post: bool) -> None:
    asking = make_sampler(20, n_probs=5, post_sampling_probs=post)
    assert sample_tokens(asking, FLAT, 40) == sample_tokens(make_sampler(20), FLAT, 40)
