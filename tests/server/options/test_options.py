from typing import Any

import pytest

from tests.server.http_client import Json, complete, get_error, post, refusal


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("n_predict", -2, "n_predict: expected -1 or more, got -2"),
        ("n_predict", [], "n_predict: expected an integer, got []"),
        ("stream", 1, "stream: expected true or false, got 1"),
        ("stop", 0, "stop: expected a string or a list of strings, got 0"),
        ("stop", False, "stop: expected a string or a list of strings, got false"),
        ("stop", {}, "stop: expected a string or a list of strings, got {}"),
        ("stop", 5, "stop: expected a string or a list of strings, got 5"),
        ("stop", ["a", 5], 'stop: expected a string or a list of strings, got ["a",5]'),
        ("stop", ["a"] * 300, "stop: expected at most 256 strings, got 300"),
        ("slot_id", 4, "slot_id: expected a slot from 0 to 3, got 4"),
        ("slot_id", "first", 'slot_id: expected an integer, got "first"'),
        ("cache_prompt", "no", 'cache_prompt: expected true or false, got "no"'),
        ("n_cache_reuse", -1, "n_cache_reuse: expected 0 or more, got -1"),
        ("n_cache_reuse", "all", 'n_cache_reuse: expected an integer, got "all"'),
        ("n_indent", -1, "n_indent: expected 0 or more, got -1"),
        ("n_indent", "deep", 'n_indent: expected an integer, got "deep"'),
        ("t_max_predict_ms", -2, "t_max_predict_ms: expected -1 or more, got -2"),
        ("timings_per_token", 1, "timings_per_token: expected true or false, got 1"),
        ("return_tokens", "yes", 'return_tokens: expected true or false, got "yes"'),
        ("n_keep", -2, "n_keep: expected -1 or more, got -2"),
        ("n", 0, "n: expected a number from 1 to 128, got 0"),
        ("n_cmpl", 129, "n_cmpl: expected a number from 1 to 128, got 129"),
    ],
)
def test_wrong_option_is_refused(server: str, option: str, value: Any, message: str) -> None:
    assert refusal(server, **{option: value}).startswith(message)


def test_different_slots_under_both_names_are_refused(server: str) -> None:
    message = "id_slot: expected the same as slot_id, 1, or only one of them, got 2"
    assert refusal(server, slot_id=1, id_slot=2) == message


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("grammar_lazy", True),
        ("grammar_triggers", [{"type": "word", "value": "{"}]),
        ("image_data", [{"data": "", "id": 12}]),
        ("modalities", ["text", "audio"]),
    ],
)
def test_option_that_is_not_supported_says_so(server: str, option: str, value: Any) -> None:
    error = get_error(post(server, {"prompt": "a", option: value}))
    assert (error["code"], error["type"]) == (501, "not_supported_error")
    assert error["message"].startswith(f"{option}: not supported")


def test_options_that_are_not_supported_pass_when_they_ask_for_nothing(server: str) -> None:
    neutral: Json = {"grammar_lazy": False, "grammar_triggers": [], "image_data": [], "lora": []}
    assert complete(server, **neutral)["stop"]
