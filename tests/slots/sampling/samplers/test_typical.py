"""Against the definition, computed in 64 bits."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.llama import Logits
from slots.sampling.logits.candidates import Candidates
from slots.sampling.samplers.truncation import keep_typical
from tests.slots.sampling.factories import Floats64, exact_softmax, examples, get_tokens, make_logits, rows
from tests.slots.sampling.llama_cpp.oracle import full_row, listed_row

ROUNDING = 1e-4
"""Error of the surprise, which is computed in 32 bits."""

either_way = pytest.mark.parametrize("make", [full_row, listed_row])

Make = Callable[[Logits], Candidates]


def surprise_distance(row: Logits) -> Floats64:
    """How far the surprise of each token is from the entropy."""
    p = exact_softmax(row)
    with np.errstate(divide="ignore"):
        surprise = -np.log(p)
    entropy = float((p[p > 0] * surprise[p > 0]).sum())
    return np.abs(surprise - entropy)


@either_way
@examples(50)
@given(
    row=rows,
    p=st.one_of(st.floats(0, 1, exclude_max=True), st.sampled_from([0.0, 0.5, 0.95, 0.99999])),
    min_keep=st.sampled_from([0, 1, 7, 300, 4097, 10**9]),
)
def test_the_most_typical_tokens_stay_which_have_the_mass(make: Make, row: Logits, p: float, min_keep: int) -> None:
    candidates = make(row)
    keep_typical(candidates, p, min_keep)
    kept = get_tokens(candidates)
    dropped = np.setdiff1d(np.arange(row.size), kept)
    odd, mass = surprise_distance(row), exact_softmax(row)
    assert len(set(kept)) == len(kept) >= min(max(min_keep, 1), row.size)
    assert dropped.size == 0 or odd[kept].max() <= odd[dropped].min() + ROUNDING
    assert mass[kept].sum() >= p * (1 - 1e-6)
    assert len(kept) <= max(min_keep, 1) or mass[kept[:-1]].sum() <= p * (1 + 1e-6) + 1e-12


@either_way
def test_the_most_likely_token_goes_when_it_is_not_typical(make: Make) -> None:
    """The entropy is 1.95 nats. The surprise of token 0 is 0.80, that of the others is 2.90."""
    candidates = make(make_logits(0.45, *[0.055] * 10))
    keep_typical(candidates, 0.1, 0)
    assert len(candidates) == 2
    assert 0 not in get_tokens(candidates)


@either_way
def test_of_equals_more_than_the_mass_stays(make: Make) -> None:
    """As in llama.cpp, one half is not more than a half."""
    candidates = make(np.zeros(4, np.float32))
    keep_typical(candidates, 0.5, 0)
    assert len(candidates) == 3


@either_way
def test_more_than_there_are_cannot_be_kept(make: Make) -> None:
    candidates = make(make_logits(0.6, 0.3, 0.1))
    keep_typical(candidates, 0.1, 10**9)
    assert sorted(get_tokens(candidates)) == [0, 1, 2]
