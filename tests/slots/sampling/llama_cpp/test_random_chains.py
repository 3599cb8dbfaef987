"""Chains of any samplers in any order with any options, against llama.cpp's chain of the same."""

from collections.abc import Iterator

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from benchmarks.sampling.llama_samplers import LlamaSampler, llama_handles
from slots.llama import Model
from slots.requests.sampling_params import SamplerName, SamplingParams
from slots.sampling.chain import Chain, build_chain
from slots.sampling.logits.candidates import Candidates
from slots.sampling.sampler import no_float_warnings
from slots.sampling.sampler_context import SamplerContext, SamplerInputs
from slots.sampling.sequence_breakers import SequenceBreakerFinder
from tests.slots.sampling.factories import examples, floats32, make_row
from tests.slots.sampling.llama_cpp.oracle import (
    SEED,
    Remaining,
    Row,
    apply_llama_sampler,
    full_row,
    get_remaining,
    has_ties,
)

SIZE = 300
PROMPT = [1, 2, 3, 2, 7, 7, 7, 4, 5, 7, 7, 4, 5, 7, 7]
NAMES = sorted(set(SamplerName) - {SamplerName.TFS_Z, SamplerName.ADAPTIVE_P, SamplerName.INFILL})
KINDS = ("normal", "narrow", "peaked", "masked", "one possible", "ascending")
"""Without ties: llama.cpp does not specify which of equal tokens are kept, on which the next sampler depends."""
UNDERFLOW = 80.0
"""Logits that are as far below the largest one have no probability in 32 bits."""
NARROW = 0.1
"""Of logits that are as near to each other, rounding in 32 bits decides which one is nearest to the entropy."""
CUTS = {"top_p": 1.0, "min_p": 1.0, "typical_p": 1.0, "xtc_threshold": 1.0, "top_n_sigma": np.inf}
"""Options that decide where to cut, with the largest number that each may be."""
ROUNDING = 1e-6


chains = st.builds(
    SamplingParams,
    samplers=st.lists(st.sampled_from(NAMES), max_size=8).map(tuple),
    temperature=st.one_of(floats32(0.1, 3), st.sampled_from([0.0, 1.0, -1.0])),
    dynatemp_range=st.one_of(st.just(0.0), floats32(0, 2)),
    dynatemp_exponent=floats32(0, 4),
    top_k=st.one_of(st.integers(-1, 60), st.integers(61, 2 * SIZE)),
    top_p=floats32(0, 1),
    min_p=st.one_of(floats32(0, 1), floats32(0, 0.01)),
    typical_p=floats32(0, 1),
    top_n_sigma=floats32(-1, 5),
    xtc_probability=st.sampled_from([0.0, 1.0]),
    xtc_threshold=st.one_of(floats32(1e-6, 0.6), floats32(1e-6, 0.01)),
    repeat_penalty=st.one_of(st.just(1.0), floats32(0.1, 10)),
    frequency_penalty=floats32(-2, 2),
    presence_penalty=floats32(-2, 2),
    repeat_last_n=st.integers(0, 20),
    dry_multiplier=st.one_of(st.just(0.0), floats32(0.01, 5)),
    dry_base=floats32(1, 3),
    dry_allowed_length=st.integers(0, 5),
    dry_penalty_last_n=st.integers(0, 20),
    min_keep=st.one_of(st.just(0), st.integers(0, 12), st.integers(0, SIZE)),
)
rows = st.builds(make_row, st.integers(0, 2**32 - 1), st.just(SIZE), st.sampled_from(KINDS)).filter(
    lambda row: not has_ties(row)
)


def make_chain(params: SamplingParams, finder: SequenceBreakerFinder) -> Chain:
    context = SamplerContext(n_vocab=SIZE, n_ctx=1000, find_sequence_breakers=finder.find)
    return build_chain(SamplerInputs(params, PROMPT, context, np.random.default_rng(SEED)))


def is_comparable(candidates: Candidates) -> bool:
    """Whether llama.cpp's typical sampling has an entropy that is a number and an order that rounding leaves alone."""
    n = len(candidates)
    return n == candidates.n_total and (n == 1 or NARROW < float(np.ptp(candidates.logits)) < UNDERFLOW)


def our_remaining(chain: Chain, params: SamplingParams, row: Row) -> Remaining:
    """The remaining candidates of our chain; for a greedy chain the token that it takes."""
    candidates = full_row(row)
    is_typical = SamplerName.TYP_P in params.samplers and params.typical_p < 1
    with no_float_warnings():
        for step in chain.processors:
            assume(not is_typical or is_comparable(candidates))
            step(candidates)
    if chain.is_greedy:
        candidates.keep(np.array([candidates.argmax()]))
    return get_remaining(candidates)


def with_cuts_around(params: SamplingParams) -> Iterator[SamplingParams]:
    """The same options, and those whose cuts are moved by no more than rounding in 32 bits may move them."""
    yield params
    for factor in (1 - ROUNDING, 1 + ROUNDING):
        yield params.replace(**{name: min(getattr(params, name) * factor, most) for name, most in CUTS.items()})


def agree(ours: Remaining, theirs: Remaining) -> bool:
    return ours.tokens == theirs.tokens and all(
        abs(p - theirs.probabilities[token]) < 1e-5 for token, p in ours.probabilities.items()
    )


@examples(250)
@given(chains, rows)
def test_any_chain_leaves_the_same(bundled_model: Model, params: SamplingParams, row: Row) -> None:
    with LlamaSampler.chain(llama_handles(params, SIZE, SEED, bundled_model)) as sampler:
        for token in PROMPT:
            sampler.accept(token)
        theirs = apply_llama_sampler(sampler, row)
    finder = SequenceBreakerFinder(bundled_model.vocab)
    chain = make_chain(params, finder)
    if chain.is_greedy:
        best = max(theirs.probabilities, key=theirs.probabilities.__getitem__)
        theirs = Remaining({best: 1.0}, None)
    assert any(
        agree(our_remaining(make_chain(around, finder), around, row), theirs) for around in with_cuts_around(params)
    )
