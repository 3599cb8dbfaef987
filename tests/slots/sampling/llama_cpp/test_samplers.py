"""Every sampler that llama.cpp has, against llama.cpp's own: the same candidates, the same probabilities."""

from collections.abc import Callable

import llama_cpp.llama_cpp as lib
import numpy as np
import pytest

from slots.sampling.logits.candidates import Candidates
from slots.sampling.samplers.temperature import scale, scale_by_entropy
from slots.sampling.samplers.truncation import keep_min_p, keep_top_k, keep_top_n_sigma, keep_top_p, keep_typical
from slots.sampling.samplers.xtc import Xtc
from tests.slots.sampling.llama_cpp.oracle import (
    SEED,
    Row,
    apply_and_free,
    assert_same,
    full_row,
    get_remaining,
    listed_row,
    rows,
)

Make = Callable[[Row], Candidates]
UNDERFLOW = 80.0
"""Logits that are as far below the largest one have no probability in 32 bits."""

either_way = pytest.mark.parametrize("make", [full_row, listed_row])


@either_way
@pytest.mark.parametrize("k", [1, 2, 40, 499, 500, 1000])
def test_top_k(make: Make, k: int) -> None:
    for row in rows():
        candidates = make(row)
        keep_top_k(candidates, k)
        assert_same(row, get_remaining(candidates), apply_and_free(lib.llama_sampler_init_top_k(k), row))


@either_way
@pytest.mark.parametrize("min_keep", [0, 1, 7])
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 0.95, 0.99])
def test_top_p(make: Make, p: float, min_keep: int) -> None:
    for row in rows():
        candidates = make(row)
        keep_top_p(candidates, p, min_keep)
        assert_same(row, get_remaining(candidates), apply_and_free(lib.llama_sampler_init_top_p(p, min_keep), row))


@either_way
@pytest.mark.parametrize("min_keep", [0, 1, 7])
@pytest.mark.parametrize("p", [1e-9, 0.01, 0.05, 0.3, 0.9, 1.0])
def test_min_p(make: Make, p: float, min_keep: int) -> None:
    for row in rows():
        candidates = make(row)
        keep_min_p(candidates, p, min_keep)
        assert_same(row, get_remaining(candidates), apply_and_free(lib.llama_sampler_init_min_p(p, min_keep), row))


@either_way
@pytest.mark.parametrize("n", [0.01, 0.5, 1.0, 2.5, 100.0])
def test_top_n_sigma(make: Make, n: float) -> None:
    for row in rows():
        candidates = make(row)
        keep_top_n_sigma(candidates, n)
        assert_same(row, get_remaining(candidates), apply_and_free(lib.llama_sampler_init_top_n_sigma(n), row))


@either_way
@pytest.mark.parametrize("min_keep", [0, 1, 7])
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 0.95, 0.999])
def test_typical(make: Make, p: float, min_keep: int) -> None:
    for row in rows():
        if row.min() < row.max() - UNDERFLOW:
            continue  # llama.cpp's entropy is not a number then
        candidates = make(row)
        keep_typical(candidates, p, min_keep)
        assert_same(row, get_remaining(candidates), apply_and_free(lib.llama_sampler_init_typical(p, min_keep), row))


@either_way
@pytest.mark.parametrize("min_keep", [0, 1, 499])
@pytest.mark.parametrize("threshold", [1e-7, 0.001, 0.01, 0.1, 0.5])
def test_xtc_that_is_certain(make: Make, threshold: float, min_keep: int) -> None:
    for row in rows():
        candidates = make(row)
        Xtc(1.0, threshold, min_keep, np.random.default_rng())(candidates)
        theirs = apply_and_free(lib.llama_sampler_init_xtc(1.0, threshold, min_keep, SEED), row)
        assert_same(row, get_remaining(candidates), theirs)


@either_way
@pytest.mark.parametrize("temperature", [-1.0, 0.0, 0.01, 0.5, 1.0, 1.5, 100.0])
def test_temperature(make: Make, temperature: float) -> None:
    for row in rows():
        candidates = make(row)
        scale(candidates, temperature)
        assert_same(row, get_remaining(candidates), apply_and_free(lib.llama_sampler_init_temp(temperature), row))


@either_way
@pytest.mark.parametrize(("temperature", "reach"), [(0.8, 0.5), (1.0, 1.0), (0.5, 2.0), (0.0, 0.3)])
@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 3.0])
def test_dynamic_temperature(make: Make, temperature: float, reach: float, exponent: float) -> None:
    for row in rows():
        candidates = make(row)
        scale_by_entropy(candidates, temperature, reach, exponent)
        theirs = apply_and_free(lib.llama_sampler_init_temp_ext(temperature, reach, exponent), row)
        assert_same(row, get_remaining(candidates), theirs)
