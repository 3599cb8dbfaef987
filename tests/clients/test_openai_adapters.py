"""LoRA adapters with OpenAI's client: an adapter is a model."""

from collections.abc import Iterator

import openai
import pytest

from benchmarks.adapters.lora_file import Lora
from tests.conftest import running_server

MESSAGES = [{"role": "user", "content": "Tell me of a dog"}]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    folder = tmp_path_factory.mktemp("adapters")
    file = Lora(seed=1).write(folder / "tales.gguf")
    with running_server(folder, "--lora", str(file), "--lora-init-without-apply") as url:
        yield openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


def answer(client: openai.OpenAI, **options: object) -> openai.types.chat.ChatCompletion:
    options = {"model": "bundled", "extra_body": {}, **options}
    return client.chat.completions.create(messages=MESSAGES, max_tokens=12, temperature=0, **options)  # type: ignore[call-overload,no-any-return]


def test_an_adapter_is_listed_and_answers_as_a_model(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["bundled", "tales"]
    told = answer(client, model="tales")
    assert told.model == "tales"
    assert told.choices[0].message.content != answer(client).choices[0].message.content
    by_id = answer(client, extra_body={"lora": [{"id": 0, "scale": 1.0}]})
    assert by_id.choices[0].message.content == told.choices[0].message.content


def test_an_adapter_that_is_not_there_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="expected tales after bundled:, got rhymes"):
        answer(client, model="bundled:rhymes")
