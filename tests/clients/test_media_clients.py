"""OpenAI's, LangChain's and Anthropic's clients send pictures and sounds."""

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from tests.clients.anthropic_clients import anthropic_client
from tests.clients.openai_clients import openai_client
from tests.clients.test_langchain_openai import chat_model
from tests.conftest import running_server
from tests.slots.multimodal.media_files import BLUE, RED, data_url, encoded, png, wav
from tests.slots.multimodal.projectors import needs_tools, projector

pytestmark = needs_tools

COLOURS = (RED, BLUE)


@pytest.fixture(scope="module")
def media_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(tmp_path_factory.mktemp("media"), "--mmproj", str(projector("gemma4uv+gemma4ua"))) as url:
        yield url


def test_openais_client_sends_a_picture(media_server: str) -> None:
    def ask(url: str) -> Any:
        parts: Any = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]
        return openai_client(media_server).chat.completions.create(
            model="any",
            messages=[{"role": "user", "content": parts}],
            max_tokens=4,
            temperature=0,
            logprobs=True,
            top_logprobs=5,
        )

    red, blue = (ask(data_url(png(colour))) for colour in COLOURS)
    assert red.usage.prompt_tokens == blue.usage.prompt_tokens > 80
    assert red.choices[0].logprobs.content[0] != blue.choices[0].logprobs.content[0]


def test_openais_client_sends_a_sound(media_server: str) -> None:
    audio: Any = {"type": "input_audio", "input_audio": {"data": encoded(wav(440, 0.5)), "format": "wav"}}
    done = openai_client(media_server).chat.completions.create(
        model="any", messages=[{"role": "user", "content": [audio]}], max_tokens=4
    )
    assert done.usage
    assert done.usage.prompt_tokens > 15


def test_openais_responses_take_a_picture(media_server: str) -> None:
    content: Any = [{"type": "input_image", "image_url": data_url(png(RED)), "detail": "auto"}]
    client = openai_client(media_server)
    first = client.responses.create(model="any", input=[{"role": "user", "content": content}], max_output_tokens=4)
    second = client.responses.create(model="any", input="And?", previous_response_id=first.id, max_output_tokens=4)
    assert first.usage
    assert second.usage
    assert second.usage.input_tokens > first.usage.input_tokens > 80


def test_langchain_sends_a_picture(media_server: str) -> None:
    model = chat_model(media_server, temperature=0)
    blocks: list[str | dict[str, Any]] = [
        {"type": "text", "text": "What is it?"},
        {"type": "image", "base64": encoded(png(RED)), "mime_type": "image/png"},
    ]
    answer = model.invoke([HumanMessage(content=blocks)])
    assert answer.usage_metadata
    assert answer.usage_metadata["input_tokens"] > 80


def test_anthropics_client_sends_a_picture_and_gets_one_from_a_tool(media_server: str) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": encoded(png(RED))}
    image: Any = {"type": "image", "source": source}
    call: Any = {"type": "tool_use", "id": "a", "name": "look", "input": {}}
    result: Any = {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "this"}, image]}
    client, n_before = anthropic_client(media_server), 0
    chats: Any = (
        [{"role": "user", "content": [image, {"type": "text", "text": "What is it?"}]}],
        [
            {"role": "user", "content": [image, {"type": "text", "text": "What is it?"}]},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result]},
        ],
    )
    for messages in chats:
        done: Any = client.messages.create(model="any", max_tokens=4, messages=messages)
        counted = client.messages.count_tokens(model="any", messages=messages)
        usage = done.usage
        assert counted.input_tokens == usage.input_tokens + usage.cache_read_input_tokens > n_before + 80
        n_before = counted.input_tokens
