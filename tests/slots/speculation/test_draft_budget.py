import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.speculation.draft_budget import EARNED, MOST_EARNED, MOST_WON, Purse

TOKEN = 0.01
"""Seconds that a token takes without drafts."""


def purse_after(n_tokens: int) -> Purse:
    purse = Purse()
    purse.begin(1, TOKEN)
    for _ in range(n_tokens):
        purse.earn(TOKEN)
    return purse


@given(st.lists(st.tuples(st.floats(0, 3 * TOKEN), st.integers(1, 8), st.integers(0, 8), st.booleans()), max_size=300))
def test_never_more_is_lost_than_the_share_of_the_time(tries: list[tuple[float, int, int, bool]]) -> None:
    purse = Purse()
    time_without, time_with = 0.0, 0.0
    for number, (price, n_drafted, n_right, is_new) in enumerate(tries):
        purse.begin(number if is_new else 0, TOKEN)
        time_without += TOKEN
        time_with += TOKEN
        if purse.balance >= price:
            right = min(n_right, n_drafted)
            purse.pay(price)
            purse.settle(n_drafted, right, TOKEN)
            time_with += price
            time_without += right * TOKEN
        purse.earn(TOKEN)
        assert purse.balance >= 0
        assert time_with <= (1 + EARNED) * time_without + 1e-9


def test_time_fills_a_purse_to_a_limit_only() -> None:
    assert purse_after(10).balance == pytest.approx(10 * EARNED * TOKEN)
    assert purse_after(10_000).balance == pytest.approx(MOST_EARNED * TOKEN)


def test_luck_fills_a_purse_further_but_not_for_the_next_request() -> None:
    purse = purse_after(0)
    for _ in range(10):
        purse.settle(8, 8, TOKEN)
    assert purse.balance == pytest.approx(MOST_WON * TOKEN)
    purse.earn(TOKEN)
    assert purse.balance == pytest.approx(MOST_WON * TOKEN)
    purse.begin(1, TOKEN)
    assert purse.balance == pytest.approx(MOST_WON * TOKEN)
    purse.begin(2, TOKEN)
    assert purse.balance == pytest.approx(MOST_EARNED * TOKEN)


def test_drafts_grow_while_they_are_right() -> None:
    purse = purse_after(0)
    reaches, expectations = [purse.reach], [purse.expected(8)]
    for _ in range(4):
        purse.settle(purse.reach, purse.reach, TOKEN)
        reaches.append(purse.reach)
        expectations.append(purse.expected(8))
    assert reaches == [8, 16, 32, 64, 128]
    assert expectations == sorted(expectations)
    assert expectations[-1] == pytest.approx(8, rel=0.01)


def test_little_is_expected_after_drafts_that_were_wrong() -> None:
    purse = purse_after(0)
    for _ in range(20):
        purse.settle(4, 0, TOKEN)
    assert purse.expected(64) < 0.01
    purse.begin(2, TOKEN)
    assert purse.expected(1) == 0.5
