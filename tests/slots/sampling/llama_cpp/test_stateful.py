"""The samplers that look back or learn, against llama.cpp's own, token after token."""

from collections.abc import Callable, Sequence

import llama_cpp.llama_cpp as lib
import numpy as np
import pytest

from benchmarks.sampling.llama_samplers import LlamaSampler
from slots.llama import Model
from slots.requests.sampling_params import SamplingParams
from slots.sampling.logits.candidates import Candidates
from slots.sampling.sampler_context import SamplerContext
from slots.sampling.samplers.adaptive_p import AdaptiveP
from slots.sampling.samplers.infill import Infill
from slots.sampling.samplers.logit_bias import LogitBias
from slots.sampling.samplers.mirostat import MirostatV1, MirostatV2
from slots.sampling.samplers.penalties import Penalties
from tests.slots.sampling.llama_cpp.oracle import (
    SEED,
    SIZE,
    Row,
    apply_and_free,
    apply_llama_sampler,
    assert_same,
    full_row,
    get_remaining,
    listed_row,
    peaked,
    tied,
    with_masked,
)

N_TOKENS = 40
TIED = tied(np.random.default_rng(SEED))
MASKED = with_masked(np.random.default_rng(SEED))
PEAKED = peaked(np.random.default_rng(SEED))
FLAT = np.zeros(SIZE, np.float32)

Make = Callable[[Row], Candidates]
Learner = MirostatV1 | MirostatV2 | AdaptiveP

either_way = pytest.mark.parametrize("make", [full_row, listed_row])


def random_rows(scale: float) -> list[Row]:
    random = np.random.default_rng(SEED)
    return [(scale * random.standard_normal(SIZE)).astype(np.float32) for _ in range(N_TOKENS)]


@either_way
@pytest.mark.parametrize(
    ("last_n", "repeat", "frequency", "presence"),
    [(64, 1.1, 0.0, 0.0), (64, 1.0, 0.5, 0.0), (64, 1.0, 0.0, -0.7), (3, 1.3, 0.2, 0.4), (64, 0.8, -1.0, 1.0)],
)
def test_penalties(make: Make, last_n: int, repeat: float, frequency: float, presence: float) -> None:
    params = SamplingParams(
        repeat_last_n=last_n, repeat_penalty=repeat, frequency_penalty=frequency, presence_penalty=presence
    )
    seen = [3, 4, 3, 5, 3, 499, 4]
    ours = Penalties(params, seen, n_ctx=1000, newline=None)
    with LlamaSampler(lib.llama_sampler_init_penalties(SIZE, last_n, repeat, frequency, presence)) as theirs:
        for token in seen:
            theirs.accept(token)
        for row in [*random_rows(3.0), PEAKED, FLAT, TIED, MASKED]:
            candidates = make(row)
            ours(candidates)
            assert_same(row, get_remaining(candidates), apply_llama_sampler(theirs, row))
            token = int(row.argmax()) % 7
            ours.accept(token)
            theirs.accept(token)


@either_way
def test_logit_bias(make: Make) -> None:
    biases = [(0, 1.5), (3, -200.0), (499, -np.inf), (17, 30.0)]
    array = (lib.llama_logit_bias * len(biases))(*[lib.llama_logit_bias(token, bias) for token, bias in biases])
    for row in [*random_rows(3.0), PEAKED, FLAT, TIED, MASKED]:
        candidates = make(row)
        LogitBias(biases, ())(candidates)
        theirs = apply_and_free(lib.llama_sampler_init_logit_bias(SIZE, len(biases), array), row)
        assert_same(row, get_remaining(candidates), theirs)


def run_both(ours: Learner, theirs: LlamaSampler, make: Make, some_rows: Sequence[Row]) -> None:
    """Run both on the same rows; ours accepts the tokens that llama.cpp draws."""
    with theirs:
        for row in some_rows:
            candidates = make(row)
            ours(candidates)
            left = apply_llama_sampler(theirs, row)
            assert_same(row, get_remaining(candidates), left)
            assert left.selected is not None
            like_theirs = (row[candidates.token(place)] == row[left.selected] for place in range(len(candidates)))
            ours.observe(list(like_theirs).index(True), left.probabilities[left.selected])
            theirs.accept(left.selected)


@either_way
@pytest.mark.parametrize("scale", [1.0, 4.0])
@pytest.mark.parametrize(("tau", "eta"), [(5.0, 0.1), (2.0, 0.5), (8.0, 0.01), (0.5, 1.0)])
def test_mirostat_2(make: Make, tau: float, eta: float, scale: float) -> None:
    theirs = LlamaSampler(lib.llama_sampler_init_mirostat_v2(SEED, tau, eta))
    run_both(MirostatV2(tau, eta), theirs, make, [*random_rows(scale), TIED, MASKED, PEAKED])


@either_way
@pytest.mark.parametrize("scale", [1.0, 4.0])
@pytest.mark.parametrize(("tau", "eta"), [(5.0, 0.1), (2.0, 0.5), (4.0, 0.01), (0.5, 1.0)])
def test_mirostat_1(make: Make, tau: float, eta: float, scale: float) -> None:
    theirs = LlamaSampler(lib.llama_sampler_init_mirostat(SIZE, SEED, tau, eta, 100))
    # Of equal logits, llama.cpp keeps one where the paper's k is beyond all integers.
    run_both(MirostatV1(tau, eta, SIZE), theirs, make, [*random_rows(scale), MASKED, PEAKED])


@either_way
@pytest.mark.parametrize("scale", [1.0, 4.0])
@pytest.mark.parametrize(("target", "decay"), [(0.0, 0.9), (0.2, 0.0), (0.5, 0.5), (0.7, 0.99), (1.0, 0.9)])
def test_adaptive_p(make: Make, target: float, decay: float, scale: float) -> None:
    theirs = LlamaSampler(lib.llama_sampler_init_adaptive_p(target, decay, SEED))
    run_both(AdaptiveP(target, decay), theirs, make, [*random_rows(scale), TIED, MASKED, PEAKED])


def test_infill(bundled_model: Model) -> None:
    vocab = bundled_model.vocab
    context = SamplerContext.for_model(vocab, n_ctx=100)
    assert context.end_token is not None
    ours = Infill(context.end_of_generation, context.end_token, context.output_bytes)
    handle = lib.llama_model_get_vocab(bundled_model.weights.handle)
    random = np.random.default_rng(SEED)
    for scale in (0.5, 1.0, 2.0, 4.0):
        for bias in (-5.0, 0.0, 5.0):
            row = (scale * random.standard_normal(vocab.n_tokens)).astype(np.float32)
            row[sorted(vocab.end_of_generation)] += bias
            # llama.cpp compares all candidates with each other: only a few of them, and many that share beginnings.
            row[random.permutation(vocab.n_tokens)[40:]] = -np.inf
            candidates = full_row(row)
            ours(candidates)
            kept = apply_and_free(lib.llama_sampler_init_infill(handle), row)
            assert_same(row, get_remaining(candidates), kept)
