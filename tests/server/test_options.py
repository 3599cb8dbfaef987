from typing import Any

import pytest

from tests.server.asking import complete, error_of, post, refusal, tokenize


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("temperature", "hot", 'temperature: expected a number, got "hot"'),
        ("temperature", True, "temperature: expected a number, got true"),
        ("temperature", 1e300, "temperature: expected a number from"),
        ("top_k", 40.5, "top_k: expected an integer, got 40.5"),
        ("top_k", 10**30, "top_k: expected an integer from"),
        ("top_p", 1.5, "top_p: expected a number from 0 to 1, got 1.5"),
        ("min_p", -0.1, "min_p: expected a number from 0 to 1, got -0.1"),
        ("n_predict", -2, "n_predict: expected -1 or more, got -2"),
        ("n_predict", [], "n_predict: expected an integer, got []"),
        ("stream", 1, "stream: expected true or false, got 1"),
        ("stop", 0, "stop: expected a string or a list of strings, got 0"),
        ("stop", False, "stop: expected a string or a list of strings, got false"),
        ("stop", {}, "stop: expected a string or a list of strings, got {}"),
        ("stop", 5, "stop: expected a string or a list of strings, got 5"),
        ("stop", ["a", 5], 'stop: expected a string or a list of strings, got ["a",5]'),
        ("stop", ["a"] * 300, "stop: expected at most 256 strings, got 300"),
        ("repeat_penalty", 0, "repeat_penalty: expected a number above 0, got 0"),
        ("repeat_last_n", -2, "repeat_last_n: expected -1 or more, got -2"),
        ("penalize_nl", "yes", 'penalize_nl: expected true or false, got "yes"'),
        ("presence_penalty", {}, "presence_penalty: expected a number, got {}"),
        ("frequency_penalty", [1], "frequency_penalty: expected a number, got [1]"),
        ("seed", -2, "seed: expected an integer from -1 to 4294967295, got -2"),
        ("ignore_eos", 0, "ignore_eos: expected true or false, got 0"),
        ("logit_bias", 5, "logit_bias: expected a list of [token id or string, number or false] pairs"),
        ("logit_bias", [5], "logit_bias: expected a list of [token id or string, number or false] pairs"),
        ("logit_bias", [[5, True]], "logit_bias: expected a number, got true"),
        ("logit_bias", [[-1, 1]], "logit_bias: expected the id of a token, from 0 to"),
        ("logit_bias", {"99999999": 1}, "logit_bias: expected the id of a token, from 0 to"),
        ("n_probs", -1, "n_probs: expected 0 to 128, got -1"),
        ("n_probs", 129, "n_probs: expected 0 to 128, got 129"),
        ("slot_id", 4, "slot_id: expected -1 or a slot from 0 to 3, got 4"),
        ("slot_id", "first", 'slot_id: expected an integer, got "first"'),
        ("cache_prompt", "no", 'cache_prompt: expected true or false, got "no"'),
        ("n_keep", -2, "n_keep: expected -1 or more, got -2"),
        ("n", 2, "n: expected 1, since each prompt gets one completion, got 2"),
        ("frequency_penalty", "x" * 1000, f'frequency_penalty: expected a number, got "{"x" * 59}…'),
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
        ("tfs_z", 0.9),
        ("typical_p", 0.5),
        ("mirostat", 2),
        ("grammar", 'root ::= "yes"'),
        ("json_schema", {"type": "object"}),
        ("system_prompt", {"prompt": "You are a poet"}),
        ("image_data", [{"data": "", "id": 12}]),
        ("samplers", ["top_k"]),
        ("top_n_sigma", 1.0),
        ("adaptive_target", 0.5),
        ("n_cmpl", 2),
    ],
)
def test_option_that_is_not_supported_says_so(server: str, option: str, value: Any) -> None:
    error = error_of(post(server, {"prompt": "a", option: value}))
    assert (error["code"], error["type"]) == (501, "not_supported_error")
    assert error["message"].startswith(f"{option}: not supported")


def test_options_that_are_not_supported_pass_when_they_ask_for_nothing(server: str) -> None:
    neutral = {
        **{"tfs_z": 1.0, "typical_p": 1.0, "mirostat": 0, "mirostat_tau": 5.0, "mirostat_eta": 0.1, "grammar": ""},
        **{"json_schema": None, "system_prompt": "", "image_data": [], "samplers": [], "top_n_sigma": -1.0},
        **{"dynatemp_range": 0, "xtc_probability": 0.0, "dry_multiplier": 0.0, "adaptive_target": -1.0, "n_cmpl": 1},
        **{"min_keep": 0, "t_max_predict_ms": 0, "n_indent": 0, "post_sampling_probs": False, "response_fields": []},
        **{"timings_per_token": False, "return_progress": False, "lora": [], "n_cache_reuse": 0},
    }
    assert complete(server, **neutral)["stop"]


def first_token(server: str, **fields: Any) -> int:
    return int(complete(server, n_predict=1, return_tokens=True, **fields)["tokens"][0])


def test_logit_bias_false_rules_a_token_out(server: str) -> None:
    token = first_token(server)
    assert first_token(server, logit_bias=[[token, False]]) != token


def test_logit_bias_makes_a_token_likely(server: str) -> None:
    token = tokenize(server, "z")[0]
    assert first_token(server, logit_bias=[[token, 1000]]) == token


def test_logit_bias_may_be_an_object(server: str) -> None:
    token = tokenize(server, "z")[0]
    assert first_token(server, logit_bias={str(token): 1000}) == token


def test_logit_bias_of_a_string_is_that_of_its_tokens(server: str) -> None:
    spelled = complete(server, logit_bias={" dogs": -2.5})["generation_settings"]["logit_bias"]
    assert spelled == [{"token": token, "bias": -2.5} for token in tokenize(server, " dogs")]


def test_logit_biases_of_one_token_add_up(server: str) -> None:
    spelled = complete(server, logit_bias=[[5, 1], [5, 0.5], [6, False]])["generation_settings"]["logit_bias"]
    assert spelled == [{"token": 5, "bias": 1.5}, {"token": 6, "bias": False}]
