import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.speculation.draft_budget import BUDGET_SHARE, MAX_ACCRUED_TOKENS, MAX_SAVED_TOKENS, DraftBudget

TOKEN = 0.01
"""Seconds that a token takes without drafts."""


def budget_after(n_tokens: int) -> DraftBudget:
    purse = DraftBudget()
    purse.start_request(1, TOKEN)
    for _ in range(n_tokens):
        purse.accrue(TOKEN)
    return purse


@given(st.lists(st.tuples(st.floats(0, 3 * TOKEN), st.integers(1, 8), st.integers(0, 8), st.booleans()), max_size=300))
def test_never_more_is_lost_than_the_share_of_the_time(tries: list[tuple[float, int, int, bool]]) -> None:
    purse = DraftBudget()
    time_without, time_with = 0.0, 0.0
    for number, (price, n_drafted, n_right, is_new) in enumerate(tries):
        purse.start_request(number if is_new else 0, TOKEN)
        time_without += TOKEN
        time_with += TOKEN
        if purse.seconds_left >= price:
            right = min(n_right, n_drafted)
            purse.spend(price)
            purse.record(n_drafted, right, TOKEN)
            time_with += price
            time_without += right * TOKEN
        purse.accrue(TOKEN)
        assert purse.seconds_left >= 0
        assert time_with <= (1 + BUDGET_SHARE) * time_without + 1e-9


def test_time_fills_a_purse_to_a_limit_only() -> None:
    assert budget_after(10).seconds_left == pytest.approx(10 * BUDGET_SHARE * TOKEN)
    assert budget_after(10_000).seconds_left == pytest.approx(MAX_ACCRUED_TOKENS * TOKEN)


def test_luck_fills_a_purse_further_but_not_for_the_next_request() -> None:
    purse = budget_after(0)
    for _ in range(10):
        purse.record(8, 8, TOKEN)
    assert purse.seconds_left == pytest.approx(MAX_SAVED_TOKENS * TOKEN)
    purse.accrue(TOKEN)
    assert purse.seconds_left == pytest.approx(MAX_SAVED_TOKENS * TOKEN)
    purse.start_request(1, TOKEN)
    assert purse.seconds_left == pytest.approx(MAX_SAVED_TOKENS * TOKEN)
    purse.start_request(2, TOKEN)
    assert purse.seconds_left == pytest.approx(MAX_ACCRUED_TOKENS * TOKEN)


def test_drafts_grow_while_they_are_right() -> None:
    purse = budget_after(0)
    reaches, expectations = [purse.max_length], [purse.expected_accepted(8)]
    for _ in range(4):
        purse.record(purse.max_length, purse.max_length, TOKEN)
        reaches.append(purse.max_length)
        expectations.append(purse.expected_accepted(8))
    assert reaches == [8, 16, 32, 64, 128]
    assert expectations == sorted(expectations)
    assert expectations[-1] == pytest.approx(8, rel=0.01)


def test_little_is_expected_after_drafts_that_were_wrong() -> None:
    purse = budget_after(0)
    for _ in range(20):
        purse.record(4, 0, TOKEN)
    assert purse.expected_accepted(64) < 0.01
    purse.start_request(2, TOKEN)
    assert purse.expected_accepted(1) == 0.5
