import pytest

from slots.engine.heartbeat import FIRST_BOUND_SECONDS, MIN_BOUND_SECONDS, Heartbeat


def after_step(seconds: float, *, n_batch: int = 2048) -> Heartbeat:
    heartbeat = Heartbeat(n_batch)
    heartbeat.start(0.0)
    heartbeat.end(seconds)
    return heartbeat


def test_no_step_is_never_overdue() -> None:
    heartbeat = after_step(1.0)
    assert heartbeat.seconds_overdue(1e9) == 0


def test_the_first_step_may_take_minutes() -> None:
    heartbeat = Heartbeat(2048)
    heartbeat.start(10.0)
    assert heartbeat.seconds_overdue(10.0 + FIRST_BOUND_SECONDS) == 0
    assert heartbeat.seconds_overdue(11.0 + FIRST_BOUND_SECONDS) == 1


def test_short_steps_leave_half_a_minute() -> None:
    heartbeat = after_step(0.01)
    heartbeat.start(100.0)
    assert heartbeat.seconds_overdue(100.0 + MIN_BOUND_SECONDS) == 0
    assert heartbeat.seconds_overdue(105.0 + MIN_BOUND_SECONDS) == 5


def test_the_bound_is_ten_times_the_longest_step() -> None:
    heartbeat = after_step(8.0)
    heartbeat.start(100.0)
    heartbeat.end(101.0)
    assert heartbeat.bound == 80


def test_the_bound_is_ten_times_what_a_full_batch_would_take() -> None:
    heartbeat = after_step(0.1, n_batch=1000)
    heartbeat.record_prefill(100, 1.0)
    heartbeat.record_prefill(1000, 2.0)
    assert heartbeat.bound == pytest.approx(100)


def test_a_few_prompt_tokens_say_nothing_about_a_batch() -> None:
    heartbeat = after_step(0.1, n_batch=1000)
    heartbeat.record_prefill(1, 1.0)
    assert heartbeat.bound == MIN_BOUND_SECONDS


def test_a_fixed_bound_stays() -> None:
    heartbeat = Heartbeat(2048, 0.5)
    heartbeat.start(0.0)
    heartbeat.end(100.0)
    heartbeat.start(200.0)
    assert (heartbeat.bound, heartbeat.seconds_overdue(201.0)) == (0.5, 0.5)


def test_the_end_says_how_long_it_was() -> None:
    heartbeat = Heartbeat(1)
    assert heartbeat.end(5.0) == 0
    heartbeat.start(5.0)
    assert heartbeat.end(7.0) == 2
