"""Completion.create and Completion.acreate, streamed or not."""

import re
from typing import Any
from uuid import UUID

import pytest

from tests.clients.llm_engine.conftest import LlmEngine
from tests.server.http_client import STORY, post

SYNC = """
    response = Completion.create(**options)
    print(response.json())
"""
ASYNC = """
    async def main():
        response = await Completion.acreate(**options)
        print(response.json())

    asyncio.run(main())
"""
SYNC_STREAM = """
    for response in Completion.create(**options, stream=True):
        print(response.json())
"""
ASYNC_STREAM = """
    async def main():
        stream = await Completion.acreate(**options, stream=True)
        async for response in stream:
            print(response.json())

    asyncio.run(main())
"""


def call(program: str, **options: Any) -> str:
    """Returns a program with options for a short deterministic completion, changed by `options`."""
    fields = {"model": "bundled", "prompt": STORY, "max_new_tokens": 8, "temperature": 0} | options
    return f"    options = {fields!r}\n{program}"


def complete(client: LlmEngine, **options: Any) -> Any:
    """Returns the output of a completion."""
    [response] = client.objects(call(SYNC, **options))
    return response["output"]


def native(server: str, **options: Any) -> Any:
    """Returns the same completion as the llama-like API gives it, with samplers as they are here."""
    fields = {"prompt": STORY, "n_predict": 8, "temperature": 0, "repeat_penalty": 1.0}
    return post(server, fields | options).json()


@pytest.mark.parametrize("program", [SYNC, ASYNC], ids=["create", "acreate"])
def test_a_completion_has_its_text_and_counts(client: LlmEngine, server: str, program: str) -> None:
    [response] = client.objects(call(program))
    UUID(response["request_id"])
    assert response["output"] == {
        "text": native(server)["content"],
        "num_prompt_tokens": 4,
        "num_completion_tokens": 8,
        "tokens": None,
    }


@pytest.mark.parametrize("program", [SYNC_STREAM, ASYNC_STREAM], ids=["create", "acreate"])
def test_a_stream_counts_its_tokens_and_marks_the_last(client: LlmEngine, server: str, program: str) -> None:
    events = client.objects(call(program))
    assert len({UUID(event["request_id"]) for event in events}) == 1
    outputs = [event["output"] for event in events]
    assert "".join(output["text"] for output in outputs) == native(server)["content"]
    assert [output["num_completion_tokens"] for output in outputs] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [output["finished"] for output in outputs] == [False] * 7 + [True]
    assert [output["num_prompt_tokens"] for output in outputs] == [None] * 7 + [4]
    assert all(event["error"] is None for event in events)


def test_log_probabilities_are_those_of_the_generated_tokens(client: LlmEngine, server: str) -> None:
    tokens = complete(client, return_token_log_probs=True)["tokens"]
    expected = native(server, n_probs=1, cache_prompt=False)["completion_probabilities"]
    assert [token["token"] for token in tokens] == [position["token"] for position in expected]
    logprobs = [position["logprob"] for position in expected]
    assert [token["log_prob"] for token in tokens] == pytest.approx(logprobs, abs=0.02)


@pytest.mark.parametrize("program", [SYNC_STREAM, ASYNC_STREAM], ids=["create", "acreate"])
def test_a_stream_has_the_log_probability_of_each_token(client: LlmEngine, program: str) -> None:
    events = client.objects(call(program, return_token_log_probs=True))
    tokens = [event["output"]["token"] for event in events]
    assert [token["token"] for token in tokens] == [event["output"]["text"] for event in events]
    assert all(token["log_prob"] < 0 for token in tokens)


def test_there_is_a_log_probability_for_each_token_that_a_grammar_forces(client: LlmEngine) -> None:
    output = complete(client, guided_choice=["a long and winding road"], max_new_tokens=50, return_token_log_probs=True)
    assert output["text"] == "a long and winding road"
    assert len(output["tokens"]) == output["num_completion_tokens"]


def test_a_stop_sequence_ends_the_text_before_it(client: LlmEngine) -> None:
    whole = complete(client)["text"]
    output = complete(client, stop_sequences=["never", "little"])
    assert output["text"] == whole.partition("little")[0] != whole


@pytest.mark.parametrize("program", [SYNC, SYNC_STREAM], ids=["whole", "streamed"])
def test_a_stop_sequence_is_part_of_the_text_if_that_is_asked_for(client: LlmEngine, program: str) -> None:
    events = client.objects(call(program, stop_sequences=["ittle g"], include_stop_str_in_output=True))
    text = "".join(event["output"]["text"] for event in events)
    assert text == complete(client)["text"].partition("ittle g")[0] + "ittle g"


def test_without_a_stop_sequence_nothing_is_added(client: LlmEngine) -> None:
    assert complete(client, stop_sequences=["never"], include_stop_str_in_output=True) == complete(client)


def test_special_tokens_are_left_out_unless_that_is_not_wanted(client: LlmEngine) -> None:
    chat = {"prompt": "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "max_new_tokens": 40}
    text = complete(client, **chat)["text"]
    assert "<|" not in text
    assert complete(client, **chat, skip_special_tokens=False)["text"] == text
    shown = complete(client, **chat, skip_special_tokens=False, include_stop_str_in_output=True)
    assert shown["text"] == f"{text}<|im_end|>"


OBJECT = {"type": "object", "properties": {"a": {"const": 5}}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("guide", "value", "allowed"),
    [
        ("guided_json", OBJECT, r'\{\s*"a"\s*:\s*5\s*\}'),
        ("guided_regex", "[0-9]{3}-x", "[0-9]{3}-x"),
        ("guided_choice", ["red", "green", "blue"], "red|green|blue"),
        ("guided_grammar", 'root ::= "yes" | "no"', "yes|no"),
    ],
)
@pytest.mark.parametrize("program", [SYNC, SYNC_STREAM], ids=["whole", "streamed"])
def test_each_guide_is_followed(client: LlmEngine, program: str, guide: str, value: object, allowed: str) -> None:
    events = client.objects(call(program, max_new_tokens=40, **{guide: value}))
    assert re.fullmatch(allowed, "".join(event["output"]["text"] for event in events))


def test_top_k_of_one_is_greedy_at_any_temperature(client: LlmEngine) -> None:
    assert complete(client, temperature=1.0, top_k=1) == complete(client)


@pytest.mark.parametrize(
    "options", [{"top_k": -1}, {"top_p": 1.0}, {"presence_penalty": 0.0, "frequency_penalty": 0.0}]
)
def test_neutral_options_change_nothing(client: LlmEngine, options: dict[str, float]) -> None:
    assert complete(client, **options) == complete(client)


def test_penalties_discourage_repetition(client: LlmEngine) -> None:
    plain = complete(client, max_new_tokens=60)["text"].split()
    penalized = complete(client, max_new_tokens=60, presence_penalty=2.0, frequency_penalty=2.0)["text"].split()
    assert len(set(penalized)) / len(penalized) > len(set(plain)) / len(plain)
