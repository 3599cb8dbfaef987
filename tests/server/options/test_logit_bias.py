from typing import Any

import pytest

from tests.server.http_client import complete, refusal, tokenize


def first_token(server: str, **fields: Any) -> int:
    return int(complete(server, n_predict=1, return_tokens=True, **fields)["tokens"][0])


def spelled_back(server: str, bias: Any) -> Any:
    return complete(server, n_predict=1, logit_bias=bias)["generation_settings"]["logit_bias"]


def test_false_rules_a_token_out(server: str) -> None:
    token = first_token(server)
    assert first_token(server, logit_bias=[[token, False]]) != token
    assert first_token(server, logit_bias={str(token): False}) != token


def test_it_makes_a_token_likely(server: str) -> None:
    token = tokenize(server, "z")[0]
    assert first_token(server, logit_bias=[[token, 1000]]) == token


@pytest.mark.parametrize("bias", [[[5, -2.5], [6, False]], {"5": -2.5, "6": False}])
def test_tokens_come_as_a_list_or_an_object(server: str, bias: Any) -> None:
    assert spelled_back(server, bias) == [{"token": 5, "bias": -2.5}, {"token": 6, "bias": False}]


@pytest.mark.parametrize("bias", [[[" dogs", -2.5]], {" dogs": -2.5}])
def test_bias_of_a_string_is_that_of_each_of_its_tokens(server: str, bias: Any) -> None:
    assert spelled_back(server, bias) == [{"token": token, "bias": -2.5} for token in tokenize(server, " dogs")]


def test_biases_of_one_token_add_up(server: str) -> None:
    assert spelled_back(server, [[5, 1], [5, 0.5], [6, False]]) == [
        {"token": 5, "bias": 1.5},
        {"token": 6, "bias": False},
    ]


@pytest.mark.parametrize(
    ("bias", "message"),
    [
        (5, "logit_bias: expected a list of [token id or string, number or false] pairs"),
        ([5], "logit_bias: expected a list of [token id or string, number or false] pairs"),
        ([[5, 1, 1]], "logit_bias: expected a list of [token id or string, number or false] pairs"),
        ([[None, 1]], "logit_bias: expected a list of [token id or string, number or false] pairs"),
        ([[5, True]], "logit_bias: expected a number, got true"),
        ({"5": "much"}, 'logit_bias: expected a number, got "much"'),
        ([[-1, 1]], "logit_bias: expected the id of a token, from 0 to"),
        ({"99999999": 1}, "logit_bias: expected the id of a token, from 0 to"),
        ({"999999999999": 1}, "logit_bias: expected keys that are ids of tokens or strings, got"),
        ({"9" * 5000: 1}, "logit_bias: expected keys that are ids of tokens or strings, got"),
    ],
)
def test_anything_else_is_refused(server: str, bias: Any, message: str) -> None:
    assert refusal(server, logit_bias=bias).startswith(message)


def test_the_biases_that_an_answer_spells_can_be_sent_back(server: str) -> None:
    biases = complete(server, logit_bias=[[5, 1.5], [6, False]])["generation_settings"]["logit_bias"]
    assert complete(server, logit_bias=biases)["generation_settings"]["logit_bias"] == biases


def test_ignored_ends_are_spelled_as_tokens_that_cannot_be_chosen(server: str) -> None:
    biases = complete(server, ignore_eos=True, logit_bias=[[5, 1.5]])["generation_settings"]["logit_bias"]
    assert biases[-1] == {"token": 5, "bias": 1.5}
    ends = [entry["token"] for entry in biases[:-1]]
    assert ends
    assert all(entry["bias"] is None for entry in biases[:-1])
    answer = complete(server, logit_bias=biases, n_predict=200)
    assert answer["stop_type"] == "limit"
    assert {entry["token"] for entry in answer["generation_settings"]["logit_bias"]} == {5, *ends}


def test_ends_that_are_not_ignored_have_no_bias(server: str) -> None:
    assert complete(server)["generation_settings"]["logit_bias"] == []
