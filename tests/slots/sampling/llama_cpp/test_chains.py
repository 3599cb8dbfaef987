"""Complete chains, built from the options of a request, against llama.cpp's samplers in the same order."""

from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.sampling.llama_samplers import LlamaSampler, llama_handles
from slots.llama import Model
from slots.requests.sampling_params import SamplerName, SamplingParams
from slots.sampling.chain import build_chain
from slots.sampling.sampler_context import LogitsProcessor, SamplerContext, SamplerInputs
from tests.slots.sampling.llama_cpp.oracle import (
    SEED,
    apply_llama_sampler,
    assert_same,
    full_row,
    get_remaining,
    has_ties,
    rows,
)

PROMPT = [1, 2, 3, 2, 7, 7, 7, 400, 123]


@pytest.mark.parametrize(
    "params",
    [
        SamplingParams(),
        SamplingParams(top_k=0),
        SamplingParams(top_k=0, top_p=1.0),
        SamplingParams(top_k=200, top_p=0.99, min_p=0.0, temperature=1.3, frequency_penalty=0.3),
        SamplingParams(top_k=0, top_p=1.0, min_p=0.0, temperature=0.7),
        SamplingParams(typical_p=0.7, dynatemp_range=0.5, dynatemp_exponent=2.0),
        SamplingParams(top_n_sigma=1.5, xtc_probability=1.0, xtc_threshold=0.02, top_p=0.999),
        SamplingParams(top_n_sigma=1.0, dynatemp_range=0.5, top_p=1.0, min_p=0.0),
        SamplingParams(top_n_sigma=1.0, dynatemp_range=0.5, top_p=1.0, min_p=0.0, top_k=0),
        SamplingParams(top_n_sigma=2.0, dynatemp_range=0.7, top_p=0.9, min_p=0.0, min_keep=20),
        SamplingParams(top_n_sigma=2.0, dynatemp_range=0.7, top_p=1.0, min_p=0.001, min_keep=20),
        SamplingParams(
            samplers=(SamplerName.TOP_N_SIGMA, SamplerName.XTC, SamplerName.TEMPERATURE),
            top_n_sigma=1.0,
            xtc_probability=1.0,
            xtc_threshold=0.001,
            min_keep=10,
            dynatemp_range=0.5,
        ),
        SamplingParams(min_keep=5, top_p=0.1, min_p=0.9, presence_penalty=1.0),
        SamplingParams(samplers=(SamplerName.TEMPERATURE, SamplerName.MIN_P, SamplerName.TOP_P, SamplerName.PENALTIES)),
        SamplingParams(samplers=(SamplerName.TOP_K, SamplerName.PENALTIES, SamplerName.PENALTIES, SamplerName.TOP_P)),
        SamplingParams(
            temperature=1.0, samplers=(SamplerName.TYP_P, SamplerName.TOP_K, SamplerName.XTC), typical_p=0.5
        ),
        SamplingParams(samplers=()),
    ],
)
def test_a_chain_leaves_the_same(bundled_model: Model, params: SamplingParams) -> None:
    for row in rows():
        if row.min() < row.max() - 80 and SamplerName.TYP_P in params.samplers and params.typical_p < 1:
            continue  # llama.cpp's entropy is not a number where a probability is 0
        if has_ties(row):
            continue  # which of equal tokens stay is left open by llama.cpp, and the next sampler depends on it
        candidates = full_row(row)
        for step in make_processors(params, row.size):
            step(candidates)
        with LlamaSampler.chain(llama_handles(params, row.size, SEED, bundled_model)) as theirs:
            for token in PROMPT:
                theirs.accept(token)
            assert_same(row, get_remaining(candidates), apply_llama_sampler(theirs, row))


def make_processors(params: SamplingParams, n_vocab: int) -> Sequence[LogitsProcessor]:
    context = SamplerContext(n_vocab=n_vocab, n_ctx=1000)
    return build_chain(SamplerInputs(params, PROMPT, context, np.random.default_rng(SEED))).processors
