from typing import Any

import pytest

from tests.server.http_client import complete, refusal
from tests.slots.requests.ranges import RANGES

OUT_OF_RANGE: list[tuple[str, Any, str]] = [
    ("temperature", 1e300, "a number from -3.4028234663852886e+38 to 3.4028234663852886e+38"),
    ("dynatemp_range", -0.1, "a number, 0 or more"),
    ("dynatemp_exponent", -1, "a number, 0 or more"),
    ("top_p", 1.5, "a number from 0 to 1"),
    ("min_p", -0.1, "a number from 0 to 1"),
    ("tfs_z", 1.1, "a number from 0 to 1"),
    ("typical_p", -0.1, "a number from 0 to 1"),
    ("top_n_sigma", -1e300, "a number from -3.4028234663852886e+38 to 3.4028234663852886e+38"),
    ("xtc_probability", 2, "a number from 0 to 1"),
    ("xtc_threshold", -1, "a number from 0 to 1"),
    ("adaptive_target", 1.1, "a number, 1 or less"),
    ("adaptive_decay", 1, "a number from 0 to 0.99"),
    ("repeat_penalty", 0, "a number above 0"),
    ("repeat_last_n", -2, "an integer, -1 or more"),
    ("presence_penalty", 1e39, "a number from -3.4028234663852886e+38 to 3.4028234663852886e+38"),
    ("frequency_penalty", -1e39, "a number from -3.4028234663852886e+38 to 3.4028234663852886e+38"),
    ("dry_multiplier", -0.1, "a number, 0 or more"),
    ("dry_base", 0.9, "a number, 1 or more"),
    ("dry_allowed_length", -1, "an integer, 0 or more"),
    ("dry_penalty_last_n", -2, "an integer, -1 or more"),
    ("mirostat", 3, "an integer from 0 to 2"),
    ("mirostat_tau", -1, "a number, 0 or more"),
    ("mirostat_eta", -0.1, "a number, 0 or more"),
    ("min_keep", -1, "an integer, 0 or more"),
    ("seed", 2**64, "an integer from -9223372036854775808 to 18446744073709551615"),
    ("n_probs", -1, "an integer from 0 to 128"),
    ("n_probs", 129, "an integer from 0 to 128"),
]


def test_the_table_has_every_option_with_a_range() -> None:
    assert {option for option, _, _ in OUT_OF_RANGE} == RANGES.keys()


@pytest.mark.parametrize(("option", "value", "expected"), OUT_OF_RANGE)
def test_value_out_of_range_is_refused(server: str, option: str, value: float, expected: str) -> None:
    assert refusal(server, **{option: value}).startswith(f"{option}: expected {expected}, got ")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("temperature", "hot", 'temperature: expected a number, got "hot"'),
        ("temperature", True, "temperature: expected a number, got true"),
        ("top_k", 40.5, "top_k: expected an integer, got 40.5"),
        ("top_k", 10**30, "top_k: expected an integer from"),
        ("mirostat", 1.5, "mirostat: expected an integer, got 1.5"),
        ("dry_base", "e", 'dry_base: expected a number, got "e"'),
        ("penalize_nl", "yes", 'penalize_nl: expected true or false, got "yes"'),
        ("ignore_eos", 0, "ignore_eos: expected true or false, got 0"),
        ("post_sampling_probs", 1, "post_sampling_probs: expected true or false, got 1"),
        ("presence_penalty", {}, "presence_penalty: expected a number, got {}"),
        ("frequency_penalty", [1], "frequency_penalty: expected a number, got [1]"),
        ("frequency_penalty", "x" * 1000, f'frequency_penalty: expected a number, got "{"x" * 59}…'),
        ("logprobs", True, "logprobs: expected an integer, got true"),
    ],
)
def test_value_of_another_type_is_refused(server: str, option: str, value: Any, message: str) -> None:
    assert refusal(server, **{option: value}).startswith(message)


@pytest.mark.parametrize(
    ("breakers", "message"),
    [
        ("\n", r'dry_sequence_breakers: expected a list of strings, got "\n"'),
        (["\n", 5], r'dry_sequence_breakers: expected a list of strings, got ["\n",5]'),
        ({}, "dry_sequence_breakers: expected a list of strings, got {}"),
        (["a", ""], 'dry_sequence_breakers: expected strings that are not empty, got ["a",""]'),
        (["a"] * 33, "dry_sequence_breakers: expected at most 32 strings, got 33"),
    ],
)
def test_sequence_breakers_are_a_list_of_strings(server: str, breakers: Any, message: str) -> None:
    assert refusal(server, dry_sequence_breakers=breakers) == message


@pytest.mark.parametrize("breakers", [[], ["—", "\n"]])
def test_sequence_breakers_come_back(server: str, breakers: list[str]) -> None:
    settings = complete(server, dry_multiplier=0.8, dry_sequence_breakers=breakers)["generation_settings"]
    assert settings["dry_sequence_breakers"] == breakers


def test_logprobs_is_another_name_for_n_probs(server: str) -> None:
    assert complete(server, logprobs=2)["generation_settings"]["n_probs"] == 2
