import pytest
import requests

from tests.server.http_client import SECONDS, get, get_error, post


def answer_to(server: str, body: bytes) -> requests.Response:
    return requests.post(f"{server}/completion", data=body, timeout=SECONDS)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "body: expected a JSON object, got nothing"),
        (b" \n", "body: expected a JSON object, got nothing"),
        (b"[]", "body: expected a JSON object, got []"),
        (b'"prompt"', 'body: expected a JSON object, got "prompt"'),
        (b'{"prompt": ', "body: expected a JSON object, got invalid JSON: "),
        (b"prompt=hello", "body: expected a JSON object, got invalid JSON: "),
        (b'{"prompt": "a", "temperature": NaN}', "body: expected a JSON object, got invalid JSON: "),
        (b'{"prompt": "\xff"}', "body: expected a JSON object, got invalid JSON: "),
        (b'{"prompt": "\\ud800"}', "body: expected a JSON object, got invalid JSON: "),
        (b'{"prompt": ' + b"[" * 100_000, "body: expected a JSON object, got invalid JSON: "),
    ],
)
def test_body_that_is_no_json_object_is_refused(server: str, body: bytes, message: str) -> None:
    error = get_error(answer_to(server, body))
    assert (error["code"], error["type"]) == (400, "invalid_request_error")
    assert error["message"].startswith(message)


def test_invalid_json_is_located(server: str) -> None:
    assert get_error(answer_to(server, b'{\n"prompt" 5}'))["message"].endswith("at line 2 column 10")


def test_body_above_the_limit_is_refused(server: str) -> None:
    error = get_error(answer_to(server, b" " * (32 * 1024 * 1024 + 1)))
    assert (error["code"], error["message"]) == (413, "body: expected at most 33554432 bytes, got more")


def test_unknown_path(server: str) -> None:
    error = get_error(get(f"{server}/nowhere"))
    assert (error["code"], error["type"]) == (404, "not_found_error")
    assert error["message"] == "there is no endpoint at /nowhere"


def test_path_with_a_slash_too_many_is_unknown(server: str) -> None:
    assert get_error(post(server, {"prompt": "a"}, "/completion/"))["code"] == 404


def test_wrong_method_says_the_right_one(server: str) -> None:
    response = get(f"{server}/completion")
    error = get_error(response)
    assert (error["code"], response.headers["Allow"]) == (405, "POST")
    assert error["message"] == "/completion takes POST, got GET"


def test_server_goes_on_after_a_broken_request(server: str) -> None:
    answer_to(server, b"{")
    assert get(f"{server}/health").json() == {"status": "ok"}


@pytest.mark.parametrize("field", ["prompt", "stop", "temperature", "n_predict", "logit_bias", "stream"])
def test_a_value_nested_too_deeply_to_show_is_refused_by_name(server: str, field: str) -> None:
    error = get_error(answer_to(server, b'{"prompt": "a", "%b": %b}' % (field.encode(), b"[" * 300 + b"]" * 300)))
    assert error["code"] == 400
    assert error["message"].startswith(field)


@pytest.mark.parametrize(
    ("path", "field", "depth", "status"),
    [
        ("/completion", "json_schema", 250, 400),
        ("/completion", "unknown", 200, 200),
        ("/completion", "", 300, 400),
        ("/v1/messages", "output_config", 1000, 400),
        ("/api/generate", "format", 300, 400),
        ("/api/v1/execute/bundled", "data", 255, 400),
        ("/v1/responses", "metadata", 300, 400),
        ("/v1/chat/completions", "chat_template_kwargs", 250, 400),
    ],
)
def test_a_member_is_at_most_200_deep(path: str, field: str, depth: int, status: int, server: str) -> None:
    deep = b"[" * depth + b"]" * depth
    response = requests.post(server + path, data=b'{"prompt": "a", "n_predict": 1, "%b": %b}' % (field.encode(), deep))
    assert response.status_code == status, response.text
    assert status == 200 or f"{field}: expected lists and objects at most 200 deep, got deeper ones" in response.text
