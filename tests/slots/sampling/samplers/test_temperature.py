import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.llama import Logits
from slots.sampling.logits.candidates import Candidates
from slots.sampling.samplers.temperature import scale, scale_by_entropy
from tests.slots.sampling.factories import exact_softmax, examples, get_tokens, make_logits, rows
from tests.slots.sampling.llama_cpp.oracle import full_row, listed_row

either_way = pytest.mark.parametrize("make", [full_row, listed_row])

Make = Callable[[Logits], Candidates]
ROW = make_logits(0.1, 0.6, 0.3)


def remaining_logits(candidates: Candidates) -> list[float]:
    """The probabilities that candidates are left with, by token."""
    p = exact_softmax(candidates.logits)
    return [float(p[get_tokens(candidates).index(token)]) for token in sorted(get_tokens(candidates))]


@either_way
@examples(50)
@given(row=rows, temperature=st.one_of(st.floats(0.01, 100), st.sampled_from([1e-6, 1e6])))
def test_logits_are_divided_by_the_temperature(make: Make, row: Logits, temperature: float) -> None:
    candidates = make(row)
    scale(candidates, temperature)
    assert np.allclose(candidates.logits, row.astype(np.float64) / temperature, rtol=1e-6, atol=1e-40)


@either_way
@pytest.mark.parametrize("temperature", [0.0, -1.0, -3e38])
def test_at_zero_and_below_the_lowest_of_the_most_likely_tokens_stays(make: Make, temperature: float) -> None:
    candidates = make(np.array([1, 3, 3, 2], np.float32))
    scale(candidates, temperature)
    assert get_tokens(candidates) == [1]


@either_way
@pytest.mark.parametrize("peak", [-3.0, 0.0, 3.0])
@pytest.mark.parametrize("temperature", [1e-37, 1e-40, 1e-46, 1e-300, 5e-324])
def test_next_to_zero_only_the_most_likely_tokens_are_possible(make: Make, temperature: float, peak: float) -> None:
    candidates = make(np.array([peak - 1, peak, peak - 2, -np.inf, peak], np.float32))
    with np.errstate(all="ignore"):
        scale(candidates, temperature)
    assert remaining_logits(candidates) == [0, 0.5, 0, 0, 0.5]


@either_way
@pytest.mark.parametrize("temperature", [1e30, 3e38, 3.4028234663852886e38])
def test_a_huge_temperature_makes_all_tokens_equally_likely_that_are_possible(make: Make, temperature: float) -> None:
    candidates = make(np.array([1, 3, -np.inf, 2], np.float32))
    with np.errstate(all="ignore"):
        scale(candidates, temperature)
    assert remaining_logits(candidates) == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3])


@either_way
def test_dynamic_temperature_is_the_most_where_all_tokens_are_equally_likely(make: Make) -> None:
    candidates = make(np.array([2, 2, 2], np.float32))
    scale_by_entropy(candidates, 1.0, 0.6, 2.0)
    assert candidates.logits.tolist() == pytest.approx([2 / 1.6] * 3)


@either_way
def test_dynamic_temperature_is_the_least_where_one_token_is_certain(make: Make) -> None:
    candidates = make(np.array([100, 0, -100], np.float32))
    scale_by_entropy(candidates, 1.0, 0.6, 2.0)
    assert candidates.logits.tolist() == pytest.approx([100 / 0.4, 0, -100 / 0.4])


@either_way
@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 3.0])
def test_dynamic_temperature_follows_the_share_of_the_entropy(make: Make, exponent: float) -> None:
    share = -sum(p * math.log(p) for p in (0.1, 0.6, 0.3)) / math.log(3)
    candidates = make(ROW)
    scale_by_entropy(candidates, 0.8, 0.5, exponent)
    assert np.allclose(candidates.logits, ROW / (0.3 + 1.0 * share**exponent), rtol=1e-5)


@either_way
def test_dynamic_temperature_beyond_what_32_bits_hold_keeps_ruled_out_tokens_ruled_out(make: Make) -> None:
    most = float(np.finfo(np.float32).max)
    candidates = make(np.array([-np.inf, 0, 0, 0], np.float32))
    with np.errstate(all="ignore"):
        scale_by_entropy(candidates, most, most, 0.0)
    assert remaining_logits(candidates) == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3])


@either_way
def test_dynamic_temperature_goes_down_to_zero_at_most(make: Make) -> None:
    candidates = make(np.array([100, 0, -100], np.float32))
    with np.errstate(all="ignore"):
        scale_by_entropy(candidates, 0.5, 2.0, 1.0)
    assert get_tokens(candidates)[0] == 0
    assert remaining_logits(candidates)[0] == 1


@either_way
def test_dynamic_temperature_leaves_a_single_candidate_as_it_is(make: Make) -> None:
    candidates = make(np.array([4.0], np.float32))
    scale_by_entropy(candidates, 0.5, 0.3, 1.0)
    assert candidates.logits.tolist() == [4.0]


@either_way
@pytest.mark.parametrize("exponent", [1e9, 3e38])
def test_rounding_never_takes_the_share_of_the_entropy_beyond_one(make: Make, exponent: float) -> None:
    """The temperature stays within its reach, and no power of the share is too large to be computed."""
    random = np.random.default_rng(9)
    for size in range(2, 60):
        row = 1 + 1e-7 * random.standard_normal(size).astype(np.float32)
        candidates = make(row)
        scale_by_entropy(candidates, 1.0, 0.5, exponent)
        assert candidates.logits.max() >= row.max() / 1.500001
