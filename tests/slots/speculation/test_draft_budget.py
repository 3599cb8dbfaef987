import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.speculation.draft_budget import BUDGET_SHARE, MAX_ACCRUED_TOKENS, MAX_SAVED_TOKENS, DraftBudget

TOKEN = 0.01
"""Seconds that a token takes without drafts."""


def budget_after(n_tokens: int) -> DraftBudget:
    budget = DraftBudget()
    budget.start_request(1, TOKEN)
    for _ in range(n_tokens):
        budget.accrue(TOKEN)
    return budget


@given(st.lists(st.tuples(st.floats(0, 3 * TOKEN), st.integers(1, 8), st.integers(0, 8), st.booleans()), max_size=300))
def test_never_more_is_lost_than_the_share_of_the_time(tries: list[tuple[float, int, int, bool]]) -> None:
    budget = DraftBudget()
    time_without, time_with = 0.0, 0.0
    for number, (price, n_drafted, n_right, is_new) in enumerate(tries):
        budget.start_request(number if is_new else 0, TOKEN)
        time_without += TOKEN
        time_with += TOKEN
        if budget.seconds_left >= price:
            right = min(n_right, n_drafted)
            budget.spend(price)
            budget.record(n_drafted, right, TOKEN)
            time_with += price
            time_without += right * TOKEN
        budget.accrue(TOKEN)
        assert budget.seconds_left >= 0
        assert time_with <= (1 + BUDGET_SHARE) * time_without + 1e-9


def test_time_fills_a_budget_to_a_limit_only() -> None:
    assert budget_after(10).seconds_left == pytest.approx(10 * BUDGET_SHARE * TOKEN)
    assert budget_after(10_000).seconds_left == pytest.approx(MAX_ACCRUED_TOKENS * TOKEN)


def test_luck_fills_a_budget_further_but_not_for_the_next_request() -> None:
    budget = budget_after(0)
    for _ in range(10):
        budget.record(8, 8, TOKEN)
    assert budget.seconds_left == pytest.approx(MAX_SAVED_TOKENS * TOKEN)
    budget.accrue(TOKEN)
    assert budget.seconds_left == pytest.approx(MAX_SAVED_TOKENS * TOKEN)
    budget.start_request(1, TOKEN)
    assert budget.seconds_left == pytest.approx(MAX_SAVED_TOKENS * TOKEN)
    budget.start_request(2, TOKEN)
    assert budget.seconds_left == pytest.approx(MAX_ACCRUED_TOKENS * TOKEN)


def test_drafts_grow_while_they_are_right() -> None:
    budget = budget_after(0)
    lengths, expectations = [budget.max_length], [budget.expected_accepted(8)]
    for _ in range(4):
        budget.record(budget.max_length, budget.max_length, TOKEN)
        lengths.append(budget.max_length)
        expectations.append(budget.expected_accepted(8))
    assert lengths == [8, 16, 32, 64, 128]
    assert expectations == sorted(expectations)
    assert expectations[-1] == pytest.approx(8, rel=0.01)


def test_little_is_expected_after_drafts_that_were_wrong() -> None:
    budget = budget_after(0)
    for _ in range(20):
        budget.record(4, 0, TOKEN)
    assert budget.expected_accepted(64) < 0.01
    budget.start_request(2, TOKEN)
    assert budget.expected_accepted(1) == 0.5
