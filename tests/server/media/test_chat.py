"""Pictures and sounds in chats: OpenAI's parts, data: URLs, files, hosts, and texts that look like markers."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer
from typing import Any

import pytest

from tests.server.http_client import Json, get, post
from tests.slots.multimodal.media_files import BLUE, RED, data_url, encoded, jpeg, png, png_bomb, png_claiming, wav
from tests.slots.multimodal.projectors import needs_tools

pytestmark = needs_tools

PATH = "/v1/chat/completions"


@pytest.fixture(scope="module")
def file_host(media_folder: Path) -> Iterator[str]:
    """The URL of a server of the folder's files on 127.0.0.1."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(media_folder))
    host = ThreadingTCPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=host.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{host.server_address[1]}"
    host.shutdown()


def image(url: str) -> Json:
    return {"type": "image_url", "image_url": {"url": url}}


def sound(data: bytes) -> Json:
    return {"type": "input_audio", "input_audio": {"data": encoded(data), "format": "wav"}}


def chat(url: str, *parts: Json | str, **fields: Any) -> Any:
    content = [{"type": "text", "text": part} if isinstance(part, str) else part for part in parts]
    body = {
        "messages": [{"role": "user", "content": content}],
        "max_tokens": 8,
        "temperature": 0,
        "cache_prompt": False,
    }
    return post(url, body | fields, PATH)


def answer(url: str, *parts: Json | str, **fields: Any) -> list[Any]:
    """Returns the most likely first tokens and how many the prompt has."""
    response = chat(url, *parts, logprobs=True, top_logprobs=4, **fields)
    assert response.status_code == 200, response.text
    body = response.json()
    return [body["choices"][0]["logprobs"]["content"][0]["top_logprobs"], body["usage"]["prompt_tokens"]]


def refusal(url: str, *parts: Json | str, **fields: Any) -> str:
    response = chat(url, *parts, **fields)
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert error["param"].startswith("messages[0].content[")
    return str(error["message"])


def test_an_answer_depends_on_the_picture(media_server: str) -> None:
    red, blue = (answer(media_server, "What is it?", image(data_url(png(colour)))) for colour in (RED, BLUE))
    assert red[0] != blue[0]
    assert red[1] == blue[1] > answer(media_server, "What is it?")[1] + 50


def test_an_answer_depends_on_the_sound(media_server: str) -> None:
    low, high = (answer(media_server, "What is it?", sound(wav(hertz, 0.5))) for hertz in (300, 3000))
    assert low[0] != high[0]


def test_a_picture_comes_from_where_the_url_says(media_server: str, file_host: str) -> None:
    expected = answer(media_server, "a", image(data_url(png(RED))))
    for url in (encoded(png(RED)), "file://red.png", "file:///red.png", f"{file_host}/red.png"):
        assert answer(media_server, "a", image(url)) == expected


def test_the_place_of_a_picture_in_a_message_counts(media_server: str) -> None:
    before = answer(media_server, image(data_url(png(RED))), "What is it?")
    behind = answer(media_server, "What is it?", image(data_url(png(RED))))
    assert before[0] != behind[0]


def test_several_media_in_one_message(media_server: str) -> None:
    both = answer(
        media_server, image(data_url(png(RED))), " and ", sound(wav(440, 0.5)), image(data_url(jpeg(), "image/jpeg"))
    )
    assert both[1] > 150


@pytest.mark.parametrize("text", ["<__media__>", "[img-12]", "<__media_0__>", "<|image>", "<|audio>"])
def test_a_text_that_looks_like_a_marker_stays_text(media_server: str, text: str) -> None:
    marker = get(f"{media_server}/props").json()["media_marker"]
    for forged in (text, marker):
        alone = answer(media_server, forged)
        beside = answer(media_server, forged, image(data_url(png(RED))))
        assert (
            beside[1] - alone[1]
            == answer(media_server, "a", image(data_url(png(RED))))[1] - answer(media_server, "a")[1]
        )


def test_a_schema_and_tools_beside_a_picture(media_server: str) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"enum": ["red", "blue"]}}}
    response = chat(media_server, "Which?", image(data_url(png(RED))), response_format=schema)
    assert response.json()["choices"][0]["message"]["content"] in ('"red"', '"blue"')
    tool = {"type": "function", "function": {"name": "paint", "parameters": {"properties": {"x": {"enum": [1]}}}}}
    called = chat(media_server, "Paint", image(data_url(png(RED))), tools=[tool], tool_choice="required", max_tokens=60)
    assert called.json()["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "paint"


def test_the_tokens_of_a_chat_are_counted_with_its_media(media_server: str) -> None:
    messages = [{"role": "user", "content": [image(data_url(png(RED)))]}]
    counted = post(media_server, {"messages": messages}, f"{PATH}/input_tokens").json()["input_tokens"]
    assert counted == answer(media_server, image(data_url(png(RED))))[1]


def test_a_rendered_prompt_has_the_marker_of_multimodal_data(media_server: str) -> None:
    marker = get(f"{media_server}/props").json()["media_marker"]
    messages = [{"role": "user", "content": [{"type": "text", "text": "a"}, image(data_url(png(RED)))]}]
    assert f"a{marker}" in post(media_server, {"messages": messages}, "/apply-template").json()["prompt"]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (image("malformed"), "expected a data: URL or base64"),
        (image("data:text/html;base64,aGVsbG8="), "expected an image or sound, got data of the type"),
        (image("data:image/png,abc"), "expected data:image/png;base64,... or the like"),
        (image(data_url(b"hello")), "expected a file in PNG, JPEG, GIF or BMP"),
        (image(data_url(b"RIFF\0\0\0\0WEBPVP8 ")), "expected a file in PNG, JPEG, GIF or BMP"),
        (image(data_url(png_claiming(8000, 8000))), "expected a picture of at most 1000000 pixels, got 8000 x 8000"),
        (image(data_url(png_bomb(50_000_000))), "expected a whole file, got a damaged one"),
        (image(data_url(png(RED)[:200])), "expected a file that can be decoded"),
        (image(data_url(bytes(600_000))), "expected a file of at most 500000 bytes (--media-max-bytes), got more"),
        (sound(wav(440, 11, 8000)), "expected a sound of at most 10 seconds, got 11"),
        (image(data_url(wav(440, 0.1))), "expected a file of images here, got one of sounds"),
        (image("http://localhost/a.png"), "expected a data: URL or base64, or a URL of a host"),
        (image("https://example.com/a.png"), "expected a data: URL or base64, or a URL of a host"),
        (image("http://127.0.0.1:9/a.png"), "expected a file that can be downloaded"),
        (image("file://../../etc/passwd"), "expected a file below the folder of --media-path"),
        (image("file:///etc/passwd"), "expected a file below the folder of --media-path"),
        (image("file://outside.png"), "expected a file below the folder of --media-path"),
        (image("ftp://127.0.0.1/a.png"), "expected a data: URL or base64, got a URL of the kind"),
        ({"type": "image_url", "image_url": {"url": 5}}, "expected a string, got 5"),
    ],
)
def test_a_wrong_part_is_named(media_server: str, part: Json, message: str) -> None:
    assert message in refusal(media_server, "What is it?", part)


def test_without_a_projector_media_are_not_supported(server: str) -> None:
    response = chat(server, "What is it?", image(data_url(png(RED))))
    assert response.status_code == 501
    assert "images are not supported" in response.json()["error"]["message"]
