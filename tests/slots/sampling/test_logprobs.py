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


def assert_logprobs(logprobs: PositionLogprobs, row: Logits, sampled: int, n: int) -> None:
    """The logprobs are those of the n most likely tokens of a row, in order, and of the sampled one."""
    with np.errstate(divide="ignore"):
        expected = np.log(exact_softmax(row))
    assert logprobs.sampled.token == sampled
    assert logprobs.sampled.logprob == pytest.approx(expected[sampled], abs=1e-4)
    assert [entry.token for entry in logprobs.top] == tokens_by_logit(row)[:n]
    assert [entry.logprob for entry in logprobs.top] == pytest.approx(expected[tokens_by_logit(row)[:n]], abs=1e-4)


@examples(50)
@given(rows, counts, st.data())
def test_those_of_the_model_are_the_softmax_of_the_whole_row(row: Logits, n: int, data: st.DataObject) -> None:
    sampled = data.draw(st.integers(0, row.size - 1))
    assert_logprobs(ModelLogprobs(full_row(row), n).for_token(sampled), row, sampled, n)


def test_those_of_the_model_are_not_changed_by_what_samplers_do() -> None:
    row = make_logits(0.2, 0.7, 0.1)
    candidates = full_row(row)
    before = ModelLogprobs(candidates, 3)
    candidates.set_logits_at(np.array([0, 1]), np.array([50.0, -np.inf]))
    candidates.divide(0.1)
    candidates.keep_largest(2)
    for sampled in range(3):
        assert_logprobs(before.for_token(sampled), row, sampled, 3)


@examples(50)
@given(rows, counts, st.booleans(), st.data())
def test_those_after_the_chain_are_the_softmax_of_what_is_left(
    row: Logits, n: int, is_full: bool, data: st.DataObject
) -> None:
    possible = (row > row.max() - 80).nonzero()[0]
    sampled = int(data.draw(st.sampled_from(possible[:50].tolist())))
    logprobs = sampled_logprobs(full_row(row) if is_full else listed_row(row), sampled, n)
    assert_logprobs(logprobs, row, sampled, len(logprobs.top))
    assert len(logprobs.top) >= min(n, possible.size)


def test_tokens_that_were_taken_away_are_not_reported() -> None:
    candidates = full_row(make_logits(0.1, 0.4, 0.2, 0.3))
    candidates.keep(np.array([2, 1]))
    logprobs = sampled_logprobs(candidates, 0, 10)
    assert get_tokens(candidates) == [2, 1]
    assert [entry.token for entry in logprobs.top] == [1, 2]
    assert [math.exp(entry.logprob) for entry in logprobs.top] == pytest.approx([2 / 3, 1 / 3])
    assert logprobs.sampled == logprobs.top[1]


def test_tokens_that_cannot_come_are_not_reported_after_the_chain() -> None:
    for make in (full_row, listed_row):
        logprobs = sampled_logprobs(make(make_logits(0.3, 0.0, 0.7)), 0, 3)
        assert [entry.token for entry in logprobs.top] == [2, 0]


@pytest.mark.parametrize("size", [1000, 5000])
def test_of_many_equals_the_lowest_tokens_are_reported(size: int) -> None:
    logprobs = sampled_logprobs(listed_row(np.zeros(size, np.float32)), 700, 3)
    assert [entry.token for entry in logprobs.top] == [0, 1, 2]
    assert [entry.logprob for entry in logprobs.top] == pytest.approx([-math.log(size)] * 3)
