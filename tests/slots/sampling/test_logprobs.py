import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.llama import Logits
from slots.requests.events import PositionLogprobs
from slots.sampling.logprobs import ModelLogprobs, sampled_logprobs
from tests.slots.sampling.factories import exact_softmax, examples, get_tokens, make_logits, rows, tokens_by_logit
from tests.slots.sampling.llama_cpp.oracle import full_row, listed_row

counts = st.sampled_from([1, 2, 3, 10, 128])


def assert_are(found: PositionLogprobs, row: Logits, chosen: int, n: int) -> None:
    """They are the n most likely tokens of a row in order, and the chosen one, with their probabilities."""
    with np.errstate(divide="ignore"):
        expected = np.log(exact_softmax(row))
    assert found.sampled.token == chosen
    assert found.sampled.logprob == pytest.approx(expected[chosen], abs=1e-4)
    assert [of.token for of in found.top] == tokens_by_logit(row)[:n]
    assert [of.logprob for of in found.top] == pytest.approx(expected[tokens_by_logit(row)[:n]], abs=1e-4)


@examples(50)
@given(rows, counts, st.data())
def test_those_of_the_model_are_the_softmax_of_the_whole_row(row: Logits, n: int, data: st.DataObject) -> None:
    chosen = data.draw(st.integers(0, row.size - 1))
    assert_are(ModelLogprobs(full_row(row), n).for_token(chosen), row, chosen, n)


def test_those_of_the_model_are_not_changed_by_what_samplers_do() -> None:
    row = make_logits(0.2, 0.7, 0.1)
    candidates = full_row(row)
    before = ModelLogprobs(candidates, 3)
    candidates.set_logits_at(np.array([0, 1]), np.array([50.0, -np.inf]))
    candidates.divide(0.1)
    candidates.keep_largest(2)
    for chosen in range(3):
        assert_are(before.for_token(chosen), row, chosen, 3)


@examples(50)
@given(rows, counts, st.booleans(), st.data())
def test_those_after_the_chain_are_the_softmax_of_what_is_left(
    row: Logits, n: int, is_whole: bool, data: st.DataObject
) -> None:
    possible = (row > row.max() - 80).nonzero()[0]
    chosen = int(data.draw(st.sampled_from(possible[:50].tolist())))
    found = sampled_logprobs(full_row(row) if is_whole else listed_row(row), chosen, n)
    assert_are(found, row, chosen, len(found.top))
    assert len(found.top) >= min(n, possible.size)


def test_tokens_that_were_taken_away_are_not_reported() -> None:
    candidates = full_row(make_logits(0.1, 0.4, 0.2, 0.3))
    candidates.keep(np.array([2, 1]))
    found = sampled_logprobs(candidates, 0, 10)
    assert get_tokens(candidates) == [2, 1]
    assert [of.token for of in found.top] == [1, 2]
    assert [math.exp(of.logprob) for of in found.top] == pytest.approx([2 / 3, 1 / 3])
    assert found.sampled == found.top[1]


def test_tokens_that_cannot_come_are_not_reported_after_the_chain() -> None:
    for make in (full_row, listed_row):
        found = sampled_logprobs(make(make_logits(0.3, 0.0, 0.7)), 0, 3)
        assert [of.token for of in found.top] == [2, 0]


@pytest.mark.parametrize("size", [1000, 5000])
def test_of_many_equals_the_lowest_tokens_are_reported(size: int) -> None:
    found = sampled_logprobs(listed_row(np.zeros(size, np.float32)), 700, 3)
    assert [of.token for of in found.top] == [0, 1, 2]
    assert [of.logprob for of in found.top] == pytest.approx([-math.log(size)] * 3)
