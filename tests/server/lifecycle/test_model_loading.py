import logging

import pytest

from server.lifecycle.model_loading import LoadProgress


def lines(caplog: pytest.LogCaptureFixture, *steps: tuple[float, float]) -> list[str]:
    """Returns the log of a load with (seconds, fraction) steps."""
    clock = iter([0.0, *(seconds for seconds, _ in steps)])
    progress = LoadProgress(clock=lambda: next(clock))
    with caplog.at_level(logging.INFO):
        for _, fraction in steps:
            progress(fraction)
    return [record.getMessage() for record in caplog.records]


def test_a_short_load_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert lines(caplog, (0.5, 0.3), (1.0, 0.9), (1.9, 1.0)) == []


def test_a_long_load_says_how_far_it_is(caplog: pytest.LogCaptureFixture) -> None:
    assert lines(caplog, (3.2, 0.25), (6.0, 0.5)) == [
        "Loading the model: 25 % after 3 seconds",
        "Loading the model: 50 % after 6 seconds",
    ]


def test_a_long_load_says_at_most_a_line_for_each_tenth(caplog: pytest.LogCaptureFixture) -> None:
    steps = [(10.0 + number, number / 1000) for number in range(1001)]
    assert len(lines(caplog, *steps)) == 10
