from typing import Any

import pytest

from tests.server.api.llama.test_completion import RESULT_FIELDS
from tests.server.http_client import complete, refusal, stream


def test_result_has_only_the_fields_that_were_asked_for(server: str) -> None:
    whole = complete(server)
    fields = ["content", "tokens_predicted"]
    assert complete(server, response_fields=fields) == {name: whole[name] for name in fields}


def test_field_of_an_object_comes_under_its_whole_path(server: str) -> None:
    result = complete(server, n_predict=3, response_fields=["generation_settings/n_predict", "timings/predicted_n"])
    assert result == {"generation_settings/n_predict": 3, "timings/predicted_n": 3}


@pytest.mark.parametrize(
    "path", ["", "/", "nowhere", "content/deep", "generation_settings/nowhere", "generation_settings/", "tokens/0"]
)
def test_field_there_is_not_is_left_out(server: str, path: str) -> None:
    assert complete(server, response_fields=[path, "stop"]) == {"stop": True}


@pytest.mark.parametrize("fields", [[], None])
def test_none_at_all_ask_for_everything(server: str, fields: Any) -> None:
    assert complete(server, response_fields=fields).keys() == RESULT_FIELDS


def test_last_event_of_a_stream_is_the_result(server: str) -> None:
    *chunks, last = stream(server, response_fields=["stop_type"])
    assert all("content" in chunk for chunk in chunks)
    assert last.keys() == {"stop_type"}


def test_each_of_several_prompts_has_them(server: str) -> None:
    assert complete(server, prompt=["a", "b"], response_fields=["index"]) == [{"index": 0}, {"index": 1}]


@pytest.mark.parametrize("fields", ["content", 5, {"content": True}, ["content", 5], [None]])
def test_anything_else_is_refused(server: str, fields: Any) -> None:
    assert refusal(server, response_fields=fields).startswith("response_fields: expected a list of strings, got ")
