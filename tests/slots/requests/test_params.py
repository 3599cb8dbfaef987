"""The base of the models that describe options."""

import pytest
from pydantic import ValidationError

from slots.errors import InvalidRequest
from slots.requests.params import Params, get_expected
from slots.requests.request import CompletionRequest
from slots.requests.sampling_params import SamplingParams


def test_replacing_validates() -> None:
    params = SamplingParams(top_k=5)
    assert params.replace(top_p=0.5) == SamplingParams(top_k=5, top_p=0.5)
    with pytest.raises(InvalidRequest, match="top_p: expected a number from 0 to 1, got 2"):
        params.replace(top_p=2)


def test_an_unknown_option_is_an_error_of_the_program() -> None:
    with pytest.raises(TypeError, match="SamplingParams has no field topk"):
        SamplingParams(**{"topk": 5})


def test_a_request_is_immutable() -> None:
    request = CompletionRequest((1, 2), n_predict=5)
    with pytest.raises(ValidationError, match="Instance is frozen"):
        request.n_predict = 6  # type: ignore[misc]


@pytest.mark.parametrize(
    ("model", "name", "words"),
    [
        (SamplingParams, "temperature", "a finite number"),
        (SamplingParams, "top_k", "an integer"),
        (SamplingParams, "mirostat", "an integer from 0 to 2"),
        (SamplingParams, "penalize_nl", "true or false"),
        (SamplingParams, "dry_sequence_breakers", "a list of strings"),
        (CompletionRequest, "n_predict", "-1 or more"),
    ],
)
def test_a_field_says_what_it_takes(model: type[Params], name: str, words: str) -> None:
    assert get_expected(model.model_fields[name]) == words
