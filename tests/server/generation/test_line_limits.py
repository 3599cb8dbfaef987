"""Options that end a text at one of its lines."""

import pytest

from tests.server.http_client import Json, complete, joined_text, stream

LONG = {"n_predict": 400, "ignore_eos": True, "repeat_penalty": 1}


@pytest.fixture(scope="module")
def plain(server: str) -> Json:
    """A text of several lines, none of them indented."""
    result: Json = complete(server, **LONG)
    assert "\n" in result["content"].strip("\n")
    assert "\n " not in result["content"]
    return result


def ends_early(result: Json, plain: Json) -> bool:
    is_beginning = bool(plain["content"].startswith(result["content"]))
    return is_beginning and bool(result["tokens_predicted"] < plain["tokens_predicted"]) and not result["truncated"]


def test_line_that_is_indented_too_little_ends_the_text(server: str, plain: Json) -> None:
    assert ends_early(complete(server, **LONG, n_indent=1), plain)


def test_streamed_line_that_is_indented_too_little_ends_the_text(server: str) -> None:
    assert joined_text(stream(server, **LONG, n_indent=1)) == complete(server, **LONG, n_indent=1)["content"]


def test_line_end_after_the_time_that_was_given_ends_the_text(server: str, plain: Json) -> None:
    assert ends_early(complete(server, **LONG, t_max_predict_ms=1), plain)


@pytest.mark.parametrize("limits", [{"n_indent": 0}, {"t_max_predict_ms": 60_000}, {"t_max_predict_ms": -1}])
def test_limits_that_are_off_or_far_away_change_nothing(server: str, plain: Json, limits: Json) -> None:
    assert complete(server, **LONG, **limits)["content"] == plain["content"]
