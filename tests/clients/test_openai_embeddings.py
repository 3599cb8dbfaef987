"""Embeddings with OpenAI's client, which requests base64 by default."""

import asyncio

import openai
import pytest

from tests.clients.openai_clients import MODEL, async_openai_client, openai_client
from tests.server.http_client import post

TEXTS = ["A cat sat on a mat.", "A red ball."]


def length(embedding: list[float]) -> float:
    return sum(number * number for number in embedding)


@pytest.mark.parametrize("base", ["/v1", "", "/"])
def test_texts_are_embedded_with_and_without_the_prefix(server: str, base: str) -> None:
    answer = openai_client(server, base).embeddings.create(model=MODEL, input=TEXTS)
    assert answer.model == "bundled"
    assert [entry.index for entry in answer.data] == [0, 1]
    assert [len(entry.embedding) for entry in answer.data] == [128, 128]
    assert [length(entry.embedding) for entry in answer.data] == pytest.approx([1, 1], abs=1e-4)
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 0


def test_numbers_are_the_same_however_they_are_sent(server: str) -> None:
    client = openai_client(server)
    as_base64 = client.embeddings.create(model=MODEL, input=TEXTS[0]).data[0].embedding
    as_floats = client.embeddings.create(model=MODEL, input=TEXTS[0], encoding_format="float").data[0].embedding
    assert as_base64 == pytest.approx(as_floats, abs=1e-6)


def test_tokens_are_embedded_as_their_text_is(server: str) -> None:
    tokens = post(server, {"content": TEXTS[0], "add_special": True}, "/tokenize").json()["tokens"]
    client = openai_client(server)
    of_tokens = client.embeddings.create(model=MODEL, input=[tokens]).data[0].embedding
    of_text = client.embeddings.create(model=MODEL, input=TEXTS[0]).data[0].embedding
    assert of_tokens == pytest.approx(of_text, abs=1e-3)


def test_fewer_dimensions_are_still_of_length_one(server: str) -> None:
    embedding = openai_client(server).embeddings.create(model=MODEL, input=TEXTS[0], dimensions=32).data[0].embedding
    assert len(embedding) == 32
    assert length(embedding) == pytest.approx(1, abs=1e-4)


def test_text_that_is_too_long_is_a_bad_request_with_both_numbers(server: str) -> None:
    with pytest.raises(openai.BadRequestError, match=r"5\d\d\d tokens.*2048"):
        openai_client(server).embeddings.create(model=MODEL, input="a " * 5000)


def test_embeddings_come_while_a_chat_streams(server: str) -> None:
    async def both() -> tuple[int, int]:
        async with async_openai_client(server) as client:
            stream = await client.completions.create(model=MODEL, prompt="Once upon", max_tokens=60, stream=True)
            answers = await asyncio.gather(*(client.embeddings.create(model=MODEL, input=TEXTS) for _ in range(8)))
            n_chunks = len([chunk async for chunk in stream])
            return len(answers), n_chunks

    n_answers, n_chunks = asyncio.run(both())
    assert n_answers == 8
    assert n_chunks > 1
