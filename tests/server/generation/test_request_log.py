import logging
from dataclasses import replace

import pytest

from server.generation.completion_output import log_finished
from slots.requests.events import Finished, StopReason, Timings

FINISHED = Finished(
    reason=StopReason.LIMIT,
    stopping_word="",
    truncated=False,
    has_new_line=False,
    slot_id=2,
    seed=1,
    n_prompt_tokens=34,
    timings=Timings(
        cached_n=20, prompt_n=14, prompt_ms=12.4, predicted_n=128, predicted_ms=640.0, draft_n=0, draft_n_accepted=0
    ),
)


def line_about(finished: Finished, caplog: pytest.LogCaptureFixture, n_predict: int = 128) -> str:
    with caplog.at_level(logging.INFO, "server"):
        log_finished(finished, n_predict)
    return caplog.messages[-1]


def test_completion_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    assert line_about(FINISHED, caplog) == (
        "slot 2: prompt of 34 tokens, 20 reused, the rest in 12 ms; "
        "generated 128 tokens at 198.4 tokens/s; n_predict was reached"
    )


@pytest.mark.parametrize(
    ("finished", "why"),
    [
        (replace(FINISHED, reason=StopReason.EOS), "the model ended it"),
        (replace(FINISHED, reason=StopReason.WORD), "a stop string was found"),
        (replace(FINISHED, truncated=True), "n_predict was reached, beyond the end of the context"),
        (
            replace(FINISHED, truncated=True, reason=StopReason.EOS),
            "the model ended it, beyond the end of the context",
        ),
    ],
)
def test_line_says_why_it_stopped(finished: Finished, why: str, caplog: pytest.LogCaptureFixture) -> None:
    assert line_about(finished, caplog).endswith(why)


def test_line_says_that_the_context_was_full(caplog: pytest.LogCaptureFixture) -> None:
    assert line_about(replace(FINISHED, truncated=True), caplog, n_predict=-1).endswith("the context was full")


def test_nothing_generated_is_no_speed(caplog: pytest.LogCaptureFixture) -> None:
    timings = replace(FINISHED.timings, predicted_n=0, predicted_ms=0.0)
    assert "generated 0 tokens at 0.0 tokens/s" in line_about(replace(FINISHED, timings=timings), caplog)
