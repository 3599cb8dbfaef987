"""Memory per token: buffers of the vocabulary's size are reused."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

from slots.requests.sampling_params import SamplerName
from slots.sampling import RowSampler
from tests.slots.sampling.factories import make_row, make_sampler, with_compiled_part

N_VOCAB = 152_000
NOT_EVEN_A_MASK = N_VOCAB
"""Bytes that are less than any array with something for each token of the vocabulary."""

CHAINS: dict[str, dict[str, Any]] = {
    "greedy": {"temperature": 0.0},
    "default": {},
    "default, with penalties": {"repeat_penalty": 1.1, "frequency_penalty": 0.1, "presence_penalty": 0.1},
    "default, with biases": {"logit_bias": ((5, 1.0), (6, -np.inf))},
    "default, with DRY": {"dry_multiplier": 0.8},
    "mirostat 1": {"mirostat": 1},
    "mirostat 2": {"mirostat": 2},
    "no samplers": {"samplers": ()},
    "probabilities": {"n_probs": 5},
    "probabilities of those that are left": {"n_probs": 5, "post_sampling_probs": True},
    "top_k alone": {"samplers": (SamplerName.TOP_K,), "top_k": 1000},
    "top_p alone": {"samplers": (SamplerName.TOP_P,)},
    "top_p that leaves 1000": {"samplers": (SamplerName.TOP_P,), "min_keep": 1000},
    "min_p alone": {"samplers": (SamplerName.MIN_P,)},
    "typ_p alone": {"samplers": (SamplerName.TYP_P,), "typical_p": 0.9},
    "tfs_z alone": {"samplers": (SamplerName.TFS_Z,), "tfs_z": 0.95},
    "top_n_sigma alone": {"samplers": (SamplerName.TOP_N_SIGMA,), "top_n_sigma": 1.0},
    "temperature alone": {"samplers": (SamplerName.TEMPERATURE,), "temperature": 0.7},
    "dynamic temperature alone": {"samplers": (SamplerName.TEMPERATURE,), "dynatemp_range": 0.5},
    "adaptive_p alone": {"samplers": (SamplerName.ADAPTIVE_P,), "adaptive_target": 0.5},
}


@pytest.mark.parametrize("is_compiled", [True, False])
@pytest.mark.parametrize("options", CHAINS.values(), ids=CHAINS)
def test_a_step_allocates_nothing_of_the_size_of_a_row(options: dict[str, Any], is_compiled: bool) -> None:
    row = make_row(3, N_VOCAB, "normal")
    row[:200] += 12  # what a model is sure of, as it usually is
    step = np.stack([row, row])
    with with_compiled_part(enabled=is_compiled):
        row_sampler, chains = RowSampler(N_VOCAB, 2, 1), [make_sampler(N_VOCAB, **options) for _ in range(2)]
        row_sampler.sample(chains, step.copy(), range(2))
        step_again = step.copy()
        tracemalloc.start()
        row_sampler.sample(chains, step_again, range(2))
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    row_sampler.close()
    assert peak < NOT_EVEN_A_MASK
