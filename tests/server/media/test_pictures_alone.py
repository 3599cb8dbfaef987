"""A server that takes pictures alone: how long a body with one may be, and what it says of sounds."""

from collections.abc import Iterator

import pytest

from server.http.body import MAX_BYTES
from tests.conftest import running_server
from tests.server.http_client import get_error, post
from tests.slots.multimodal.media_files import RED, encoded, png, wav

MAX_FILE = 33_000_000
"""Bytes, whose base64 is longer than a body may be otherwise."""


@pytest.fixture(scope="module")
def roomy_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(tmp_path_factory.mktemp("roomy"), "--media-max-bytes", str(MAX_FILE)) as url:
        yield url


def image_data(n_bytes: int) -> list[dict[str, object]]:
    """A picture with so many bytes, most of them behind its end."""
    picture = png(RED)
    return [{"data": encoded(picture + bytes(n_bytes - len(picture)))}]


def test_a_picture_of_the_permitted_size_arrives_in_base64(roomy_server: str) -> None:
    data = image_data(MAX_FILE)
    assert len(str(data[0]["data"])) > MAX_BYTES
    response = post(roomy_server, {"prompt": "[img-0]What colour?", "n_predict": 1, "image_data": data})
    assert response.status_code == 200, response.text


def test_a_larger_picture_is_named(roomy_server: str) -> None:
    data = image_data(MAX_FILE + 3)
    error = get_error(post(roomy_server, {"prompt": "[img-0]What colour?", "n_predict": 1, "image_data": data}))
    assert error["code"] == 400
    assert f"at most {MAX_FILE} bytes (--media-max-bytes)" in error["message"]


def test_sounds_for_a_model_that_takes_pictures_alone_are_refused_with_what_it_takes(roomy_server: str) -> None:
    sound = {"type": "input_audio", "input_audio": {"data": encoded(wav(440, 0.1)), "format": "wav"}}
    body = {"messages": [{"role": "user", "content": [sound]}]}
    response = post(roomy_server, body, "/v1/chat/completions")
    assert response.status_code == 501
    assert (
        response.json()["error"]["message"]
        == "messages[0].content[0]: sounds are not supported, only text and images are"
    )


def test_a_body_above_the_limit_says_what_raises_it(roomy_server: str) -> None:
    data = image_data(MAX_BYTES + MAX_FILE)
    error = get_error(post(roomy_server, {"prompt": "[img-0]What colour?", "n_predict": 1, "image_data": data}))
    assert error["code"] == 413
    assert error["message"] == (
        f"body: expected at most {MAX_BYTES + 4 * MAX_FILE // 3} bytes, got more; a picture or sound may have "
        f"{MAX_FILE} bytes, and a third more in base64 (--media-max-bytes)"
    )
