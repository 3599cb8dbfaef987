import logging
from dataclasses import replace
from typing import Any

import pytest

from server.http.errors import ApiError
from server.http.request_log import RequestLog
from server.http.request_record import Answer, RequestRecord
from slots.requests.cache_use import CacheMiss, MissReason
from slots.requests.events import Finished, StopReason, Timings
from slots.requests.sampling_params import SamplingParams

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
    cache_miss=CacheMiss(20, MissReason.TEXT_DIFFERS),
)
DONE: dict[str, Any] = {"status": 200, "seconds": 0.6548}


def written(caplog: pytest.LogCaptureFixture, *, shows_texts: bool = False, **fields: Any) -> logging.LogRecord:
    """Returns the line about a request to /completion."""
    record = RequestRecord("id", "POST", **{"path": "/completion", "route": "/completion", **fields})
    with caplog.at_level(logging.DEBUG, "server"):
        RequestLog("tiny", shows_texts=shows_texts).write(record)
    return caplog.records[-1]


def line(caplog: pytest.LogCaptureFixture, *answers: Finished, n_predict: int = 128) -> str:
    return written(
        caplog, answers=[Answer(answer, n_predict, SamplingParams()) for answer in answers], **DONE
    ).getMessage()


def test_a_completion_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    assert line(caplog, FINISHED) == (
        "POST /completion 200 in 655 ms: tiny, slot 2: prompt of 34 tokens, 20 reused, the rest in 12 ms; "
        "generated 128 tokens at 198.4 tokens/s; n_predict was reached"
    )


def test_the_adapters_of_a_completion_are_named_with_the_model(caplog: pytest.LogCaptureFixture) -> None:
    record = written(caplog, answers=[Answer(FINISHED, 128, SamplingParams())], adapters=("tales", "rhymes\n"), **DONE)
    assert record.getMessage().startswith("POST /completion 200 in 655 ms: tiny:tales+rhymes\\n, slot 2: prompt of 34")
    assert record.fields["model"] == "tiny:tales+rhymes\n"  # type: ignore[attr-defined]


def test_several_answers_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    assert line(caplog, FINISHED, replace(FINISHED, reason=StopReason.EOS)) == (
        "POST /completion 200 in 655 ms: tiny, 2 answers: 68 tokens of prompts, 40 reused; generated 256 tokens; "
        "n_predict was reached, the model ended it"
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
def test_the_line_says_why_it_stopped(finished: Finished, why: str, caplog: pytest.LogCaptureFixture) -> None:
    assert line(caplog, finished).endswith(why)


def test_the_line_says_that_the_context_was_full(caplog: pytest.LogCaptureFixture) -> None:
    assert line(caplog, replace(FINISHED, truncated=True), n_predict=-1).endswith("the context was full")


def test_nothing_generated_is_no_speed(caplog: pytest.LogCaptureFixture) -> None:
    timings = replace(FINISHED.timings, predicted_n=0, predicted_ms=0.0)
    assert "generated 0 tokens at 0.0 tokens/s" in line(caplog, replace(FINISHED, timings=timings))


def test_a_bad_request_is_told_by_its_field_and_not_by_what_it_says(caplog: pytest.LogCaptureFixture) -> None:
    error = ApiError(400, 'prompt: expected a string, got ["secret"]', field="prompt")
    said = written(caplog, error=error, status=400)
    assert said.getMessage() == "POST /completion 400 in 0 ms: invalid_request_error in prompt"
    assert "secret" not in str(said.__dict__["fields"])


def test_a_failure_of_the_server_is_a_warning_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    said = written(caplog, error=ApiError(500, "the model could not be run"), status=200)
    assert said.levelno == logging.WARNING
    assert said.getMessage() == "POST /completion 500 in 0 ms: the model could not be run"


def test_a_client_that_went_away_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    said = written(caplog, client_left=True, status=200)
    assert said.getMessage() == "POST /completion 499 in 0 ms: the client went away"
    assert said.levelno == logging.INFO


@pytest.mark.parametrize("path", ["/health", "/livez", "/ready", "/metrics", "/slots", "/pool"])
def test_what_is_asked_all_the_time_is_for_a_verbose_log(path: str, caplog: pytest.LogCaptureFixture) -> None:
    assert written(caplog, path=path, route=path, **DONE).levelno == logging.DEBUG
    assert written(caplog, path=path, route=path, status=503).levelno == logging.WARNING


def test_a_path_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    assert written(caplog, path="/a\nb", route=None, status=404).getMessage() == "POST /a\\nb 404 in 0 ms"


def test_texts_are_there_if_the_record_has_them(caplog: pytest.LogCaptureFixture) -> None:
    answer = Answer(FINISHED, 128, SamplingParams(), ("Once\nupon", "a time"))
    said = written(caplog, shows_texts=True, answers=[answer], **DONE)
    assert said.getMessage().endswith("; prompt 'Once\\nupon', text 'a time'")
    assert said.__dict__["fields"]["answers"][0]["text"] == "a time"


def test_the_fields_are_the_numbers_of_the_line(caplog: pytest.LogCaptureFixture) -> None:
    fields = written(caplog, answers=[Answer(FINISHED, 128, SamplingParams())], **DONE).__dict__["fields"]
    assert (fields["route"], fields["status"], fields["model"]) == ("/completion", 200, "tiny")
    assert fields["answers"] == [
        {
            **{"slot": 2, "prompt_tokens": 34, "cached_tokens": 20, "generated_tokens": 128, "prompt_ms": 12.4},
            **{"predicted_ms": 640.0, "tokens_per_second": 198.44, "finish_reason": "limit"},
            "why": "n_predict was reached",
            "cache_miss": {"at_token": 20, "reason": "text_differs"},
        }
    ]
