import logging
from io import StringIO

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


def bar(*steps: tuple[float, float]) -> list[str]:
    """Returns what a terminal gets in a load with (seconds, fraction) steps, drawing by drawing."""
    clock, terminal = iter([0.0, *(seconds for seconds, _ in steps)]), StringIO()
    progress = LoadProgress(clock=lambda: next(clock), terminal=terminal)
    for _, fraction in steps:
        progress(fraction)
    return terminal.getvalue().split("\r")[1:]


def test_a_terminal_gets_a_bar_that_grows_and_is_taken_away(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        drawn = bar((0.5, 0.2), (1.0, 0.5), (2.0, 1.0))
    assert drawn[:2] == [
        "Loading the model [######........................]  20% 0 s",
        "Loading the model [###############...............]  50% 1 s",
    ]
    assert [text.strip() for text in drawn[2:]] == ["", ""]
    assert caplog.messages == []


def test_a_bar_is_drawn_again_only_if_it_has_grown() -> None:
    assert len(bar(*((1.0, number / 10_000) for number in range(1, 1_000)))) <= 5
