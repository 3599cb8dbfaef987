"""Pictures in Ollama's dialect."""

from typing import Any

from tests.server.http_client import Json, post
from tests.slots.multimodal.media_files import BLUE, RED, encoded, png
from tests.slots.multimodal.projectors import needs_tools

pytestmark = needs_tools

OPTIONS: Json = {"temperature": 0, "num_predict": 1}


def first_token(url: str, path: str, **fields: Any) -> Any:
    """Returns the most likely first tokens of an answer."""
    body = {"stream": False, "options": OPTIONS, "logprobs": True, "top_logprobs": 4, **fields}
    response = post(url, body, path)
    assert response.status_code == 200, response.text
    return response.json()["logprobs"][0]["top_logprobs"]


def test_answers_of_a_chat_depend_on_its_images(media_server: str) -> None:
    red, blue = (
        first_token(media_server, "/api/chat", messages=[{"role": "user", "content": "Hi", "images": [encoded(image)]}])
        for image in (png(RED), png(BLUE))
    )
    assert red != blue


def test_answers_to_a_prompt_depend_on_its_images(media_server: str) -> None:
    red, blue = (
        first_token(media_server, "/api/generate", prompt="Hi", images=[encoded(image)])
        for image in (png(RED), png(BLUE))
    )
    assert red != blue


def test_an_image_that_is_none_is_named(media_server: str) -> None:
    message = {"role": "user", "content": "Hi", "images": ["aGk="]}
    response = post(media_server, {"messages": [message]}, "/api/chat")
    assert response.status_code == 400
    assert response.json()["error"].startswith("messages[0].images[0]")
