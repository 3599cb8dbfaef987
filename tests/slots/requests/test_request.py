"""Which values the fields of a request take, apart from its sampling options."""

from typing import Any

import pytest

from slots.errors import InvalidRequest
from slots.requests.completion_params import MAX_STOP_STRINGS
from slots.requests.request import CompletionRequest


def request(**fields: Any) -> CompletionRequest:
    return CompletionRequest(**{"prompt": (1,), **fields})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_predict", -1),
        ("n_predict", 0),
        ("n_keep", -1),
        ("n_indent", 0),
        ("t_max_predict_ms", -1),
        ("slot_id", -1),
        ("slot_id", 0),
        ("stop", ()),
        ("stop", ("word",) * MAX_STOP_STRINGS),
    ],
)
def test_a_value_at_the_end_of_its_range_is_taken(field: str, value: Any) -> None:
    assert getattr(request(**{field: value}), field) == value


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("prompt", (), "expected at least one token, got 'none'"),
        ("n_predict", -2, "expected -1 or more, got -2"),
        ("n_keep", -2, "expected -1 or more, got -2"),
        ("n_indent", -1, "expected 0 or more, got -1"),
        ("t_max_predict_ms", -2, "expected -1 or more, got -2"),
        ("slot_id", -2, "expected -1 or the number of a slot, got -2"),
        ("stop", ("ok", ""), "expected strings that are not empty, got ['ok', '']"),
        ("stop", ("word",) * (MAX_STOP_STRINGS + 1), "expected at most 256 strings, got 257"),
    ],
)
def test_a_value_out_of_its_range_is_refused_by_name(field: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        request(**{field: value})
    assert refused.value.field == field
    assert str(refused.value) == f"{field}: {message}"
