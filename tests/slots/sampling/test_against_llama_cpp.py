"""The samplers against llama.cpp's own, on the same candidates."""

import ctypes
from collections.abc import Iterator

import llama_cpp.llama_cpp as lib
import numpy as np
import pytest

from slots.llama import Logits
from slots.request import SamplingParams
from slots.sampling.penalties import Penalties
from slots.sampling.top_k import largest
from slots.sampling.truncation import keep_min_p, keep_top_p

SIZE = 500


def rows() -> Iterator[Logits]:
    """Random, peaked and flat rows without ties, on which llama.cpp's order would be left open."""
    random = np.random.default_rng(5)
    for scale in (0.1, 1.0, 4.0, 20.0):
        for _ in range(5):
            yield (scale * random.standard_normal(SIZE)).astype(np.float32)


def apply_llama_cpp(sampler: ctypes.c_void_p, row: Logits) -> dict[int, float]:
    """What a sampler of llama.cpp's leaves of a row: token to logit."""
    candidates = (lib.llama_token_data * row.size)(*[lib.llama_token_data(i, row[i], 0.0) for i in range(row.size)])
    array = lib.llama_token_data_array(candidates, row.size, -1, False)
    lib.llama_sampler_apply(sampler, ctypes.byref(array))
    kept = {int(array.data[i].id): float(array.data[i].logit) for i in range(array.size)}
    lib.llama_sampler_free(sampler)
    return kept


@pytest.mark.parametrize("k", [1, 2, 40, 499, 500, 1000])
def test_top_k_keeps_the_same_tokens(k: int) -> None:
    for row in rows():
        assert set(largest(row, k).tolist()) == set(apply_llama_cpp(lib.llama_sampler_init_top_k(k), row))


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 0.95, 0.999, 1.0])
def test_top_p_keeps_the_same_tokens(p: float) -> None:
    for row in rows():
        order = largest(row, SIZE)
        kept = keep_top_p(row[order].astype(np.float64), p)
        assert set(order[:kept].tolist()) == set(apply_llama_cpp(lib.llama_sampler_init_top_p(p, 1), row))


@pytest.mark.parametrize("p", [0.0, 0.01, 0.05, 0.3, 0.9, 1.0])
def test_min_p_keeps_the_same_tokens(p: float) -> None:
    for row in rows():
        order = largest(row, SIZE)
        kept = keep_min_p(row[order].astype(np.float64), p)
        assert set(order[:kept].tolist()) == set(apply_llama_cpp(lib.llama_sampler_init_min_p(p, 1), row))


@pytest.mark.parametrize(
    ("last_n", "repeat", "frequency", "presence"),
    [(64, 1.1, 0.0, 0.0), (64, 1.0, 0.5, 0.0), (64, 1.0, 0.0, -0.7), (3, 1.3, 0.2, 0.4), (64, 0.8, -1.0, 1.0)],
)
def test_penalties_give_the_same_logits(last_n: int, repeat: float, frequency: float, presence: float) -> None:
    seen = [3, 4, 3, 5, 3, 499, 4]
    params = SamplingParams(
        repeat_last_n=last_n, repeat_penalty=repeat, frequency_penalty=frequency, presence_penalty=presence
    )
    for row in rows():
        sampler = lib.llama_sampler_init_penalties(SIZE, last_n, repeat, frequency, presence)
        for token in seen:
            lib.llama_sampler_accept(sampler, token)
        expected = apply_llama_cpp(sampler, row)
        Penalties(params, seen, n_ctx=1000, newline=None).apply(row)
        assert row.tolist() == pytest.approx([expected[token] for token in range(SIZE)], abs=1e-5)
