"""Whatever options a request may have, the thread of the engine gets a token or a refusal."""

import math
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.errors import InvalidRequest
from slots.llama import Logits
from slots.requests.params import MIN_INTEGER
from slots.requests.sampling_params import MAX_N_PROBS, SamplerName, SamplingParams
from slots.sampling import SampledToken, Sampler
from slots.sampling.logits.workspace import Workspace
from tests.slots.requests.ranges import RANGES, is_within
from tests.slots.sampling.factories import examples, make_breakers, make_context, row_strategy

LARGEST = float(np.finfo(np.float32).max)
MAX_INTEGER = 2**32 - 1
"""Numbers beyond these two are refused before they become options."""
NUMBERS = (0.0, 5e-324, 1e-300, 1e-40, 1e-30, 1e-6, 0.1, 0.5, 0.99, 1.0, 1 + 1e-9, 2.0, 5.0, 1e6, 1e30, 3e38, LARGEST)
INTEGERS = (0, 1, 2, 3, 40, 1000, 20_000, 10**9, MAX_INTEGER)
TOGGLES = ("ignore_eos", "penalize_nl", "post_sampling_probs")
END, NEWLINE, NEVER = 0, 1, 2
BREAKERS = make_breakers({NEWLINE: {()}, 3: {(4,), (4, 5)}})

Options = dict[str, Any]


def option_values(name: str) -> st.SearchStrategy[float]:
    """The usual value of a numeric option and extreme ones."""
    allowed, usual = RANGES[name], getattr(SamplingParams(), name)
    every = INTEGERS if isinstance(usual, int) else NUMBERS
    extreme = sorted({value for x in every for value in (x, -x) if is_within(allowed, value)})
    return st.one_of(st.just(usual), st.sampled_from(extreme))


biases = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from([1.0, -1.0, 3e38, -3e38, LARGEST, -LARGEST, -math.inf])), max_size=4
)
top_ks = st.sampled_from([-1, 0, 1, 2, 40, 2999, MAX_INTEGER])
options = st.fixed_dictionaries(
    {"samplers": st.lists(st.sampled_from(SamplerName), max_size=14).map(tuple)},
    optional={
        **{name: option_values(name) for name in RANGES if name not in ("seed", "n_probs")},
        **{name: st.booleans() for name in TOGGLES},
        "n_probs": st.sampled_from([0, 1, 3, MAX_N_PROBS]),
        "top_k": top_ks,
        "logit_bias": biases.map(tuple),
    },
)
"""Each option is left out, as it usually is, or extreme."""


def make_sampler(options: Options, size: int) -> Sampler:
    context: dict[str, Any] = {
        "newline": NEWLINE if size > NEWLINE else None,
        "end_token": END,
        "end_of_generation": (END,),
        "suppressed": (NEVER,) if size > NEVER else (),
        "output_bytes": lambda token: b"%d" % token,
        "find_sequence_breakers": lambda _strings: BREAKERS,
    }
    inside = tuple((token, bias) for token, bias in options.get("logit_bias", ()) if token < size)
    prompt = [number % min(size, 7) for number in range(30)]
    params = SamplingParams(**{**options, "logit_bias": inside, "seed": 3})
    return Sampler(params, prompt, make_context(size, **context))


def banned_tokens(options: Options, row: Logits) -> set[int]:
    """The tokens that must never come."""
    barred = {int(token) for token in (row == -np.inf).nonzero()[0]}
    if SamplerName.INFILL in options["samplers"]:
        barred -= {END}
    barred |= {token for token, bias in options.get("logit_bias", ()) if bias == -math.inf}
    return barred | {NEVER} | ({END} if options.get("ignore_eos") else set())


def assert_sane(choice: SampledToken) -> None:
    """Probabilities are at most 1, and no chosen token is impossible."""
    if choice.logprobs is not None:
        assert -math.inf < choice.logprobs.sampled.logprob < 1e-3
        assert all(of.logprob < 1e-3 for of in choice.logprobs.top)  # which no NaN is


def run(options: Options, row: Logits, n_tokens: int = 4) -> list[SampledToken]:
    """Chooses some tokens from the same row. All warnings are errors."""
    workspace = Workspace(row.size)
    if SamplerName.INFILL in options["samplers"]:  # ends texts as llama.cpp's does, which does not look at the logit
        row = np.append(max(row[END], np.float32(-40)), row[END + 1 :])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chain = make_sampler(options, row.size)
        try:
            return [chain.sample(row.copy(), workspace) for _ in range(n_tokens)]
        except InvalidRequest as refusal:
            assert refusal.field == "logit_bias"
            return []


@examples(300)
@given(options, row_strategy(st.integers(1, 60)))
def test_extreme_options_give_possible_tokens_or_a_refusal(options: Options, row: Logits) -> None:
    barred = banned_tokens(options, row)
    for choice in run(options, row):
        assert 0 <= choice.token < row.size
        assert choice.token not in barred
        assert_sane(choice)


@examples(30)
@given(options, row_strategy(st.sampled_from([600, 3000, 20_000])))
def test_so_they_do_with_a_large_vocabulary(options: Options, row: Logits) -> None:
    barred = banned_tokens(options, row)
    for choice in run(options, row):
        assert choice.token not in barred
        assert_sane(choice)


@pytest.mark.parametrize(("size", "mirostat"), [(5, 0), (5, 1), (5, 2), (3000, 0)])
@pytest.mark.parametrize("name", [*RANGES, "top_k"])
def test_each_option_may_be_extreme_with_every_sampler_in_the_chain(name: str, size: int, mirostat: int) -> None:
    """With all others such that the sampler which takes the option is used."""
    used: Options = {
        "samplers": tuple(SamplerName),
        "tfs_z": 0.9,
        "typical_p": 0.9,
        "top_n_sigma": 1.0,
        "xtc_probability": 1.0,
        "adaptive_target": 0.3,
        "presence_penalty": 0.1,
        "dry_multiplier": 0.8,
        "dynatemp_range": 0.3,
    }
    random = np.random.default_rng(5)
    row = random.standard_normal(size).astype(np.float32)
    row[3] = -np.inf
    extremes = [x for number in (*NUMBERS, *INTEGERS) for x in (number, -number)]
    of_its_type = [x for x in extremes if isinstance(x, type(getattr(SamplingParams(), name)))]
    allowed = [x for x in of_its_type if (x >= MIN_INTEGER if name == "top_k" else is_within(RANGES[name], x))]
    assert len(allowed) >= 3
    for value in allowed:
        for choice in run({"mirostat": mirostat, **used, name: value}, row, n_tokens=2):
            assert choice.token not in (3, NEVER)
            assert_sane(choice)
