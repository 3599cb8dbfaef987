"""Tokens that are drawn with a seed, against those that llama.cpp draws with it."""

from typing import Any

import llama_cpp.llama_cpp as lib
import numpy as np
import pytest

from benchmarks.sampling.llama_samplers import LlamaCandidates, LlamaSampler, llama_handles
from slots.llama import Model
from slots.requests.sampling_params import SamplingParams
from slots.sampling.logits.random_numbers import RandomNumbers
from slots.sampling.row_sampler import RowSampler
from tests.slots.sampling.factories import make_sampler, sample

SIZE = 800
N_TOKENS = 50


@pytest.mark.parametrize("seed", [0, 1, 42, 2**32 - 2])
@pytest.mark.parametrize(
    "options",
    [{}, {"temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05}, {"top_k": 0, "top_p": 1.0, "min_p": 0.0}],
)
def test_a_seed_gives_the_tokens_that_it_gives_in_llama_cpp(
    bundled_model: Model, seed: int, options: dict[str, Any]
) -> None:
    rows = [(3 * np.random.default_rng(n).standard_normal(SIZE)).astype(np.float32) for n in range(N_TOKENS)]
    params = SamplingParams(seed=seed, repeat_penalty=1.0, **options)
    handles = [*llama_handles(params, SIZE, seed, bundled_model), lib.llama_sampler_init_dist(seed)]
    ours, in_kernel = (make_sampler(SIZE, seed=seed, **options) for _ in range(2))
    kernel = RowSampler(SIZE, 1, 1)
    with LlamaSampler.chain(handles) as theirs:
        for row in rows:
            candidates = LlamaCandidates(SIZE).fill(row)
            theirs.apply(candidates)
            assert sample(ours, row).token == candidates.selected
            sampled = kernel.sample([in_kernel], row[None].copy(), [0])[0]
            assert not isinstance(sampled, Exception)
            assert sampled.token == candidates.selected


def test_random_numbers_are_those_of_the_standard_library() -> None:
    """The first outputs of std::mt19937 with its default seed are 3499211612 and 581869302, and the 10,000th is
    4123659995 (C++17, 29.6.5)."""
    numbers = RandomNumbers(5489)
    assert numbers.random() == (3499211612 + 581869302 * 2**32) / 2**64
    for _ in range(4998):
        numbers.random()
    assert int(numbers.random() * 2**32) == 4123659995


def test_seeds_that_differ_above_their_32nd_bit_give_other_numbers() -> None:
    assert len({RandomNumbers(seed).random() for seed in (7, 7 + 2**32, 7 + 2**33, 2**64 - 1)}) == 4
