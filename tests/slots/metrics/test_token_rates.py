import pytest

from slots.metrics.token_rates import BUCKET_SECONDS, N_BUCKETS, TokenRates


def test_nothing_happened_at_first() -> None:
    history = TokenRates().history(1000.0, 0, 0)
    assert (history.prompt, history.generated) == ([0.0] * N_BUCKETS, [0.0] * N_BUCKETS)


def test_tokens_of_a_bucket_are_its_rate() -> None:
    rates = TokenRates()
    rates.note(100.0, 0, 0)
    rates.note(103.0, 10, 40)
    rates.note(105.0, 20, 50)
    history = rates.history(107.5, 20, 75)
    assert history.prompt[-2:] == [20 / BUCKET_SECONDS, 0.0]
    assert history.generated[-2:] == [50 / BUCKET_SECONDS, 25 / 2.5]


def test_pauses_are_zero() -> None:
    rates = TokenRates()
    rates.note(100.0, 0, 0)
    rates.note(120.0, 5, 5)
    assert rates.history(120.0, 5, 5).generated[-5:] == [1.0, 0.0, 0.0, 0.0, 0.0]


def test_old_buckets_are_forgotten() -> None:
    rates = TokenRates()
    for second in range(0, 10_000, 5):
        rates.note(float(second), second, second)
    history = rates.history(9_999.0, 9_999, 9_999)
    assert len(history.generated) == N_BUCKETS
    assert history.generated[:-1] == [1.0] * (N_BUCKETS - 1)
    assert sum(rates.history(20_000.0, 9_999, 9_999).generated) == 0


def test_a_bucket_that_has_begun_is_not_divided_by_almost_nothing() -> None:
    rates = TokenRates()
    rates.note(100.0, 0, 0)
    assert rates.history(100.0001, 0, 8).generated[-1] == pytest.approx(8.0)
