"""Samplers with any options, on rows of any kind, against llama.cpp's own."""

import llama_cpp.llama_cpp as lib
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from benchmarks.sampling.llama_samplers import LlamaSampler
from slots.llama import Model
from slots.requests.sampling_params import SamplingParams
from slots.sampling.sampler import no_float_warnings
from slots.sampling.sampler_context import SamplerContext
from slots.sampling.samplers.adaptive_p import AdaptiveP
from slots.sampling.samplers.infill import Infill
from slots.sampling.samplers.logit_bias import LogitBias
from slots.sampling.samplers.mirostat import MirostatV2
from slots.sampling.samplers.penalties import Penalties
from slots.sampling.samplers.temperature import scale_by_entropy
from slots.sampling.samplers.truncation import keep_top_k
from tests.slots.sampling.factories import KINDS, exact_softmax, examples, floats32, make_row, row_strategy
from tests.slots.sampling.llama_cpp.oracle import (
    FLAT_SIZE,
    SEED,
    Row,
    apply_and_free,
    apply_llama_sampler,
    assert_same,
    full_row,
    get_remaining,
    listed_row,
)
from tests.slots.sampling.llama_cpp.test_stateful import Make, run_both

WITH_EQUALS = ("tied", "flat", "zeros", "narrow")
MIN_ENTROPY = 0.03
"""32 bits hold too few digits of a lower entropy; with one certain token it is exactly 0."""
SIZES = st.sampled_from([1, 2, 16, 128, FLAT_SIZE])
some_rows = row_strategy(SIZES)
row_lists = SIZES.flatmap(lambda size: st.lists(row_strategy(st.just(size)), min_size=1, max_size=8))
makes = st.sampled_from([full_row, listed_row])


def multiples(size: float, maximum: float) -> st.SearchStrategy[float]:
    """Multiples of a power of two: products of them are not rounded."""
    return st.integers(-int(maximum / size), int(maximum / size)).map(lambda n: n * size)


any_penalties = st.one_of(
    st.tuples(floats32(0.01, 100), st.just(0.0), st.just(0.0)),
    st.tuples(st.just(1.0), multiples(0.125, 1000), multiples(0.125, 1000)),
    st.tuples(floats32(0.1, 10), multiples(0.125, 2), multiples(0.125, 2)),
)
"""The three options, extreme only where a logit is rounded once: rounding twice depends on the order of llama.cpp."""


@examples(120)
@given(some_rows, makes, any_penalties, st.integers(1, 40), st.lists(st.integers(0, 19), max_size=60))
def test_penalties(
    row: Row, make: Make, penalties: tuple[float, float, float], last_n: int, numbers_seen: list[int]
) -> None:
    repeat, frequency, presence = penalties
    params = SamplingParams(
        repeat_last_n=last_n, repeat_penalty=repeat, frequency_penalty=frequency, presence_penalty=presence
    )
    seen = [number % row.size for number in numbers_seen]
    candidates = make(row)
    with no_float_warnings():
        Penalties(params, seen, n_ctx=1000, newline=None)(candidates)
    with LlamaSampler(lib.llama_sampler_init_penalties(row.size, last_n, *penalties)) as theirs:
        for token in seen:
            theirs.accept(token)
        assert_same(row, get_remaining(candidates), apply_llama_sampler(theirs, row))


@examples(100)
@given(
    some_rows,
    makes,
    st.dictionaries(st.integers(0, FLAT_SIZE - 1), st.one_of(floats32(-100, 100), st.just(-np.inf)), max_size=40),
)
def test_logit_bias(row: Row, make: Make, biases: dict[int, float]) -> None:
    biased = {token: bias for token, bias in biases.items() if token < row.size}
    assume(any(row[token] + biased.get(token, 0.0) > -np.inf for token in range(row.size)))
    array = (lib.llama_logit_bias * len(biased))(*[lib.llama_logit_bias(*pair) for pair in biased.items()])
    candidates = make(row)
    LogitBias(biased.items(), ())(candidates)
    theirs = apply_and_free(lib.llama_sampler_init_logit_bias(row.size, len(biased), array), row)
    assert_same(row, get_remaining(candidates), theirs)


@examples(120)
@given(row_strategy(st.sampled_from([1, 2, 16, 128])), makes, floats32(0, 5), floats32(0.01, 5), floats32(0, 4))
def test_dynamic_temperature(row: Row, make: Make, temperature: float, reach: float, exponent: float) -> None:
    """For short rows and small exponents, where it does not show that llama.cpp adds the entropy up in 32 bits."""
    p = exact_softmax(row)
    entropy = -float((p * np.log(p, where=p > 0, out=np.zeros(p.size))).sum())
    assume(entropy == 0 or entropy > MIN_ENTROPY)
    candidates = make(row)
    with no_float_warnings():
        scale_by_entropy(candidates, temperature, reach, exponent)
    theirs = apply_and_free(lib.llama_sampler_init_temp_ext(temperature, reach, exponent), row)
    assert_same(row, get_remaining(candidates), theirs)


@examples(60)
@given(row_lists, makes, floats32(0, 20), floats32(0, 2))
def test_mirostat_2(rows: list[Row], make: Make, tau: float, eta: float) -> None:
    with no_float_warnings():
        run_both(MirostatV2(tau, eta), LlamaSampler(lib.llama_sampler_init_mirostat_v2(SEED, tau, eta)), make, rows)


@examples(60)
@given(row_lists, makes, floats32(0, 1), st.one_of(floats32(0, 0.99), floats32(0.9, 0.99)))
def test_adaptive_p(rows: list[Row], make: Make, target: float, decay: float) -> None:
    with no_float_warnings():
        run_both(
            AdaptiveP(target, decay), LlamaSampler(lib.llama_sampler_init_adaptive_p(target, decay, SEED)), make, rows
        )


@pytest.mark.parametrize("kind", KINDS)
def test_infill(bundled_model: Model, kind: str) -> None:
    """After a top-k, as it is meant to be used; with ends of the text, and with candidates that begin the same.

    Which of equals comes first, and so is merged first, is left open by llama.cpp: those are from all over.
    """
    vocab = bundled_model.vocab
    around = SamplerContext.for_model(vocab, n_ctx=100)
    ours = Infill(around.end_of_generation, around.end_token, around.output_bytes)
    ends = sorted(vocab.end_of_generation)
    random = np.random.default_rng(SEED)
    tokens = random.permutation(vocab.n_tokens)
    if kind not in WITH_EQUALS:
        tokens = np.array(sorted(tokens, key=around.output_bytes))
    for seed in range(100):
        n = int(random.integers(2, 40))
        first = random.integers(vocab.n_tokens - n)
        row = np.full(vocab.n_tokens, -np.inf, np.float32)
        row[tokens[first : first + n]] = make_row(seed, n, kind)
        row[ends] = row.max() + random.uniform(-20, 2)
        candidates = full_row(row)
        keep_top_k(candidates, 50)
        ours(candidates)
        top_k = lib.llama_sampler_init_top_k(50)
        infill = lib.llama_sampler_init_infill(lib.llama_model_get_vocab(bundled_model.weights.handle))
        with LlamaSampler.chain([top_k, infill]) as theirs:
            assert_same(row, get_remaining(candidates), apply_llama_sampler(theirs, row))
