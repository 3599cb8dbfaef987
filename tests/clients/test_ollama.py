"""Ollama's own clients."""

import asyncio
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import ollama
import pytest
from pydantic import BaseModel

from tests.conftest import running_server
from tests.server.http_client import post
from tests.server.program import PROGRAM, running

MODEL = "bundled"
ASK = "What is the capital of France?"
TURN: Any = {"role": "user", "content": ASK}
KEY = "secret"
AUTHORIZATION = {"Authorization": f"Bearer {KEY}"}
GREEDY = {"temperature": 0, "num_predict": 16}


@pytest.fixture(scope="module")
def client(server: str) -> ollama.Client:
    return ollama.Client(server)


def answer_of(server: str) -> str:
    """The answer in OpenAI's dialect."""
    body = {"messages": [TURN], "max_tokens": 16, "temperature": 0}
    return str(post(server, body, "/v1/chat/completions").json()["choices"][0]["message"]["content"])


def test_chat_is_answered(client: ollama.Client, server: str) -> None:
    answer = client.chat(f"{MODEL}:latest", [TURN], options=GREEDY)
    assert (answer.message.role, answer.message.content) == ("assistant", answer_of(server))
    assert (answer.model, answer.done, answer.done_reason, answer.eval_count) == ("bundled:latest", True, "stop", 11)


def test_chat_is_streamed(client: ollama.Client, server: str) -> None:
    *parts, last = client.chat(MODEL, [TURN], options=GREEDY, stream=True)
    assert "".join(part.message.content or "" for part in parts) == answer_of(server)
    assert last.done
    assert last.eval_duration
    assert last.prompt_eval_count == client.chat(MODEL, [TURN], options=GREEDY).prompt_eval_count


def test_async_client_streams_several_chats_at_once(server: str) -> None:
    async def ask(client: ollama.AsyncClient) -> str:
        stream = await client.chat(MODEL, [TURN], options=GREEDY, stream=True)
        return "".join([part.message.content or "" async for part in stream])

    async def ask_all() -> list[str]:
        async with ollama.AsyncClient(server) as client:
            return await asyncio.gather(*(ask(client) for _ in range(6)))

    assert set(asyncio.run(ask_all())) == {answer_of(server)}


def test_prompt_is_answered_and_its_context_goes_on(client: ollama.Client, server: str) -> None:
    first = client.generate(MODEL, ASK, options=GREEDY)
    assert first.response == answer_of(server)
    assert first.context
    second = client.generate(MODEL, "And of Italy?", context=first.context, options=GREEDY)
    assert second.context
    assert list(second.context[: len(first.context)]) == list(first.context)


def test_gap_is_filled(client: ollama.Client) -> None:
    assert client.generate(MODEL, "def total(prices):\n    ", suffix="\n    return result", options=GREEDY).response


class Cat(BaseModel):
    name: Literal["Tom", "Kitty"]
    sleeps: bool


def test_answer_matches_the_schema_of_a_class(client: ollama.Client) -> None:
    answer = client.chat(MODEL, [TURN], format=Cat.model_json_schema(), options={"num_predict": 100})
    assert Cat.model_validate_json(answer.message.content or "").name in ("Tom", "Kitty")


def get_weather(city: Literal["Paris", "Rome"]) -> str:
    """Get the weather in a city.

    Args:
        city: The city
    """
    return f"It is sunny in {city}."


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_function_is_called_and_its_result_goes_back(server: str, is_streamed: bool) -> None:
    # The model is too small to call tools by itself, and the client has no parameter that makes it.
    client = ForcingClient(server)
    messages: list[Any] = [{"role": "user", "content": "How is the weather in Rome?"}]
    options: Any = {"tools": [get_weather], "options": {"temperature": 0}, "stream": is_streamed}
    answers = client.chat(MODEL, messages, **options)
    parts: list[ollama.ChatResponse] = list(answers) if is_streamed else [answers]
    [call] = [call for part in parts for call in part.message.tool_calls or []]
    assert call.function.name == "get_weather"
    assert call.function.arguments.keys() == {"city"}
    messages += [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_name": "get_weather", "content": get_weather(**call.function.arguments)},
    ]
    final = ollama.Client(server).chat(MODEL, messages, tools=[get_weather], options=GREEDY)
    assert final.message.content
    assert final.prompt_eval_count and parts[-1].prompt_eval_count
    assert final.prompt_eval_count > parts[-1].prompt_eval_count


class ForcingClient(ollama.Client):
    """Asks for a call in each chat, with the member `tool_choice` that this server takes beside Ollama's."""

    def _request(self, *arguments: Any, **named: Any) -> Any:
        return super()._request(*arguments, **named | {"json": named["json"] | {"tool_choice": "required"}})


def test_log_probabilities_are_returned(client: ollama.Client) -> None:
    answer = client.chat(MODEL, [TURN], logprobs=True, top_logprobs=3, options=GREEDY)
    assert answer.logprobs
    assert all(entry.top_logprobs and len(entry.top_logprobs) == 3 for entry in answer.logprobs)
    assert answer.logprobs[0].logprob <= 0


def test_texts_are_embedded(client: ollama.Client) -> None:
    together, alone = client.embed(MODEL, ["A cat.", "A dog."]), client.embed(MODEL, "A cat.", dimensions=8)
    assert [len(embedding) for embedding in together.embeddings] == [128, 128]
    assert [len(embedding) for embedding in alone.embeddings] == [8]
    assert len(client.embeddings(MODEL, "A cat.").embedding) == 128


def test_model_is_listed_and_described(client: ollama.Client) -> None:
    [listed], [running] = client.list().models, client.ps().models
    assert listed.model == running.model == "bundled:latest"
    assert listed.size and running.size and running.expires_at
    described = client.show(str(listed.model))
    assert described.capabilities == ["completion", "tools", "insert"]
    assert described.details and described.details.family == "llama"
    assert described.modelinfo and described.modelinfo["general.architecture"] == "llama"
    assert described.modified_at == listed.modified_at


def test_model_is_loaded_and_unloaded(client: ollama.Client) -> None:
    assert client.generate(MODEL).done_reason == "load"
    assert client.generate(MODEL, keep_alive=0).done_reason == "unload"
    assert client.chat(MODEL, keep_alive="10m").done_reason == "load"


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (lambda client: client.pull("llama3.2"), "downloading models is not supported"),
        (lambda client: client.push("llama3.2"), "uploading models is not supported"),
        (lambda client: client.create("mine", from_="llama3.2"), "creating models is not supported"),
        (lambda client: client.copy("a", "b"), "copying models is not supported"),
        (lambda client: client.delete("llama3.2"), "deleting models is not supported"),
        (lambda client: list(client.pull("llama3.2", stream=True)), "downloading models is not supported"),
    ],
)
def test_changes_of_the_models_are_refused_by_name(client: ollama.Client, refused: Any, words: str) -> None:
    with pytest.raises(ollama.ResponseError, match=words) as error:
        refused(client)
    assert error.value.status_code == 501


def test_unknown_model_is_not_found(client: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError, match=r"model 'llama3\.2' not found") as error:
        client.show("llama3.2")
    assert error.value.status_code == 404


@pytest.mark.parametrize("is_streamed", [False, True])
def test_wrong_option_is_named(client: ollama.Client, is_streamed: bool) -> None:
    options: Any = {"options": {"top_p": 7}, "stream": is_streamed}
    with pytest.raises(ollama.ResponseError) as error:
        list(client.chat(MODEL, [TURN], **options))
    assert (error.value.status_code, error.value.error) == (400, "options.top_p: expected a number from 0 to 1, got 7")


def test_images_are_refused_by_a_model_that_reads_only_text(client: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError, match=r"^messages\[0\].images\[0\]: images are not supported"):
        client.chat(MODEL, [TURN | {"images": [b"an image"]}])


@pytest.fixture(scope="module")
def small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One slot, one place in the queue, and a key."""
    flags = ("--parallel", "1", "--max-queue", "1", "--api-key", KEY)
    with running_server(tmp_path_factory.mktemp("small"), *flags) as url:
        yield url


def test_full_queue_is_an_error(small_server: str) -> None:
    client = ollama.Client(small_server, headers=AUTHORIZATION)
    running: Any = client.chat(MODEL, [TURN], options={"num_predict": -1, "ignore_eos": True}, stream=True)
    next(running)

    def refusal(_: int) -> ollama.ResponseError | None:
        try:
            client.chat(MODEL, [TURN], options={"num_predict": 1})
        except ollama.ResponseError as error:
            running.close()
            return error
        return None

    with ThreadPoolExecutor(2) as pool:
        [error] = filter(None, pool.map(refusal, range(2)))
    assert error.status_code == 503


def test_failure_midway_is_an_error_of_the_stream(tmp_path: Path) -> None:
    with running(tmp_path, *PROGRAM, "--shutdown-timeout", "0", "--ignore-eos") as program:
        parts = ollama.Client(program.ready_url()).chat(MODEL, [TURN], stream=True)
        assert not next(parts).done
        program.signal(signal.SIGTERM)
        with pytest.raises(ollama.ResponseError, match="the server is shutting down"):
            list(parts)


def test_key_is_needed(small_server: str) -> None:
    with pytest.raises(ollama.ResponseError, match="Authorization") as error:
        ollama.Client(small_server).list()
    assert error.value.status_code == 401
    assert ollama.Client(small_server, headers=AUTHORIZATION).list().models
