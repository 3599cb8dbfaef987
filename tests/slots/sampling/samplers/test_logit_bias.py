from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.llama import Logits
from slots.sampling.logits.candidates import Candidates
from slots.sampling.samplers.logit_bias import LogitBias
from tests.slots.sampling.llama_cpp.oracle import full_row, listed_row

either_way = pytest.mark.parametrize("make", [full_row, listed_row])

Make = Callable[[Logits], Candidates]
BARRED = -np.inf


def biased(make: Make, row: list[float], *biases: tuple[int, float], banned: tuple[int, ...] = ()) -> list[float]:
    candidates = make(np.array(row, np.float32))
    with np.errstate(all="ignore"):
        LogitBias(biases, banned)(candidates)
    result: list[float] = candidates.logits.tolist()
    return result


@either_way
def test_biases_are_added_and_those_of_one_token_add_up(make: Make) -> None:
    assert biased(make, [1, 1, 1], (0, 1.5), (1, -2.0), (0, 1.0)) == [3.5, -1.0, 1.0]


@either_way
def test_minus_infinity_rules_a_token_out_whatever_else_is_added(make: Make) -> None:
    assert biased(make, [1, 1], (0, 3e38), (0, -np.inf), (0, 3e38)) == [BARRED, 1.0]


@either_way
def test_a_token_that_may_never_come_is_ruled_out_whatever_its_bias(make: Make) -> None:
    assert biased(make, [1, 1], (0, 100.0), banned=(0,)) == [BARRED, 1.0]


@either_way
def test_no_bias_brings_back_what_the_model_ruled_out(make: Make) -> None:
    assert biased(make, [BARRED, 1], (0, 3e38)) == [BARRED, 1.0]


@either_way
def test_huge_biases_add_up_to_a_huge_number(make: Make) -> None:
    row = biased(make, [1, 1], (0, 3e38), (0, 3e38))
    assert 1e29 < row[0] < np.inf


def test_a_token_that_is_no_candidate_is_passed_over() -> None:
    candidates = full_row(np.array([1, 2, 3], np.float32))
    candidates.keep(np.array([2, 0]))
    LogitBias([(1, 5.0), (2, 1.0)], [])(candidates)
    assert candidates.logits.tolist() == [4.0, 1.0]


@given(
    row=st.lists(st.floats(-(2.0**99), 2.0**99, width=32) | st.just(BARRED), min_size=40, max_size=40),
    biases=st.lists(st.tuples(st.integers(0, 39), st.floats(-1e38, 1e38) | st.just(BARRED)), max_size=60),
)
def test_few_biases_and_many_do_the_same(row: list[float], biases: list[tuple[int, float]]) -> None:
    unchanged = [(token, 0.0) for token in range(40)]  # with which they are many
    assert (
        biased(full_row, row, *biases) == biased(full_row, row, *biases, *unchanged) == biased(listed_row, row, *biases)
    )


def test_the_original_logit_is_known_behind_few_biases_and_many() -> None:
    for n_biases in (1, 40):
        candidates = full_row(np.arange(40, dtype=np.float32))
        LogitBias([(token, 5.0) for token in range(n_biases)], [])(candidates)
        LogitBias([(0, 7.0)], [])(candidates)
        assert candidates.raw_logit(0) == 0.0
        assert candidates.token(int(candidates.logits.argmax())) == 39
        assert candidates.logits[0] == 12.0
