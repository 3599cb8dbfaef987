from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from slots.llama import Logits
from slots.requests.sampling_params import SamplingParams
from slots.sampling.logits.candidates import Candidates
from slots.sampling.samplers.penalties import Penalties
from tests.slots.sampling.llama_cpp.oracle import full_row, listed_row

either_way = pytest.mark.parametrize("make", [full_row, listed_row])

Make = Callable[[Logits], Candidates]


def penalized(
    make: Make, seen: list[int], row: list[float], newline: int | None = None, n_ctx: int = 1000, **params: Any
) -> list[float]:
    """Apply the penalties to a row after some tokens."""
    candidates = make(np.array(row, np.float32))
    with np.errstate(all="ignore"):
        Penalties(SamplingParams(**{"repeat_penalty": 1.0, **params}), seen, n_ctx, newline)(candidates)
    return [round(float(logit), 5) for logit in candidates.logits]


@either_way
def test_the_repeat_penalty_lowers_the_logits_of_seen_tokens_whatever_their_sign(make: Make) -> None:
    assert penalized(make, [0, 1], [4.0, -4.0, 4.0, -4.0], repeat_penalty=2.0) == [2.0, -8.0, 4.0, -4.0]


@either_way
def test_a_repeat_penalty_below_one_raises_them(make: Make) -> None:
    assert penalized(make, [0, 1], [4.0, -4.0, 4.0], repeat_penalty=0.5) == [8.0, -2.0, 4.0]


@either_way
def test_the_frequency_penalty_counts_and_the_presence_penalty_does_not(make: Make) -> None:
    row = penalized(make, [0, 0, 1], [4.0, 4.0, 4.0], frequency_penalty=0.5, presence_penalty=1.0)
    assert row == [2.0, 2.5, 4.0]


@either_way
def test_the_repeat_penalty_comes_before_what_is_subtracted(make: Make) -> None:
    assert penalized(make, [0], [4.0], repeat_penalty=2.0, presence_penalty=1.0) == [1.0]


@either_way
def test_only_the_last_tokens_are_penalized(make: Make) -> None:
    assert penalized(make, [0, 1], [4.0, 4.0], repeat_penalty=2.0, repeat_last_n=1) == [4.0, 2.0]


@either_way
def test_looking_back_upon_no_token_penalizes_none(make: Make) -> None:
    assert penalized(make, [0, 1], [4.0, 4.0], repeat_penalty=2.0, repeat_last_n=0) == [4.0, 4.0]


@either_way
def test_looking_back_upon_the_whole_context_ends_at_its_size(make: Make) -> None:
    seen = [0] + [1] * 100
    assert penalized(make, seen, [4.0, 4.0], repeat_penalty=2.0, repeat_last_n=-1, n_ctx=101) == [2.0, 2.0]
    assert penalized(make, seen, [4.0, 4.0], repeat_penalty=2.0, repeat_last_n=-1, n_ctx=100) == [4.0, 2.0]


@either_way
def test_line_ends_can_be_spared(make: Make) -> None:
    options: dict[str, Any] = {"repeat_penalty": 2.0, "newline": 1}
    assert penalized(make, [0, 1], [4.0, 4.0], penalize_nl=False, **options) == [2.0, 4.0]
    assert penalized(make, [0, 1], [4.0, 4.0], penalize_nl=True, **options) == [2.0, 2.0]


@either_way
@pytest.mark.parametrize("penalties", [{"repeat_penalty": 1e-300}, {"frequency_penalty": -3e38}])
def test_a_ruled_out_token_stays_ruled_out(make: Make, penalties: dict[str, Any]) -> None:
    assert penalized(make, [0, 0, 1], [-np.inf, 1.0, 2.0], **penalties)[0] == -np.inf


@either_way
@pytest.mark.parametrize(
    "penalties",
    [{"repeat_penalty": 5e-324}, {"repeat_penalty": 1e-300}, {"frequency_penalty": -3e38}, {"presence_penalty": -3e38}],
)
def test_no_penalty_makes_a_logit_infinitely_large(make: Make, penalties: dict[str, Any]) -> None:
    row = penalized(make, [0] * 60, [4.0, 1.0], **penalties)
    assert 1e29 < row[0] < np.inf


def test_accepted_tokens_are_penalized_and_the_oldest_are_not_any_more() -> None:
    penalties = Penalties(SamplingParams(repeat_penalty=2.0, repeat_last_n=2), [0], 1000, None)
    for accepted, expected in [(1, [2, 2, 4]), (2, [4, 2, 2]), (2, [4, 4, 2])]:
        penalties.accept(accepted)
        candidates = full_row(np.full(3, 4.0, np.float32))
        penalties(candidates)
        assert candidates.logits.tolist() == expected


def test_tokens_that_are_no_candidates_any_more_are_passed_over() -> None:
    candidates = full_row(np.array([4, 5, 6, 7], np.float32))
    candidates.keep(np.array([3, 1]))
    Penalties(SamplingParams(repeat_penalty=2.0), [0, 1, 2], 1000, None)(candidates)
    assert candidates.logits.tolist() == [7.0, 2.5]


def test_penalized_candidates_do_not_count_as_sorted() -> None:
    candidates = full_row(np.array([4, 5], np.float32)).sort()
    Penalties(SamplingParams(repeat_penalty=2.0), [1], 1000, None)(candidates)
    assert candidates.token(candidates.argmax()) == 0
