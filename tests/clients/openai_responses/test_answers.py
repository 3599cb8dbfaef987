"""Responses with OpenAI's client."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from tests.clients.openai_clients import MODEL, async_openai_client, openai_client
from tests.clients.openai_responses.asking import TELL, ask, ask_events, count, items, kinds
from tests.conftest import running_server
from tests.server.http_client import Json, post, tokenize

SYSTEM = "You tell stories about cats."
YES = {"grammar": 'root ::= "yes"'}


def prompt_length(server: str, *messages: Json) -> int:
    """The number of tokens of a chat in the form of chat completions."""
    return len(tokenize(server, post(server, {"messages": messages}, "/apply-template").json()["prompt"]))


def test_a_text_is_answered(server: str) -> None:
    response = ask(server)
    [message] = response.output
    assert (response.object, response.model, response.status) == ("response", "bundled", "incomplete")
    assert response.id.startswith("resp_")
    assert message.type == "message"
    assert (message.role, message.id.split("_")[0]) == ("assistant", "msg")
    assert response.output_text
    usage = response.usage
    assert usage
    assert usage.input_tokens == prompt_length(server, {"role": "user", "content": TELL}) == count(server)
    assert (usage.output_tokens, usage.total_tokens) == (8, usage.input_tokens + 8)


def test_the_answer_is_that_of_the_chat_completions(server: str) -> None:
    messages = [{"role": "user", "content": TELL}]
    chat = post(server, {"messages": messages, "max_tokens": 8, "temperature": 0}, "/v1/chat/completions").json()
    assert ask(server).output_text == chat["choices"][0]["message"]["content"]


def test_paths_need_no_prefix(server: str) -> None:
    client = openai_client(server, base="")
    response = client.responses.create(model=MODEL, input=TELL, max_output_tokens=4)
    assert client.responses.retrieve(response.id).output_text == response.output_text
    assert client.responses.input_tokens.count(model=MODEL, input=TELL).input_tokens == count(server)
    assert client.responses.input_items.list(response.id).data
    client.responses.delete(response.id)


@pytest.mark.parametrize("role", ["system", "developer"])
def test_instructions_are_a_system_prompt(server: str, role: str) -> None:
    expected = prompt_length(server, {"role": "system", "content": SYSTEM}, {"role": "user", "content": TELL})
    assert count(server, instructions=SYSTEM) == expected
    assert count(server, input=[{"role": role, "content": SYSTEM}, {"role": "user", "content": TELL}]) == expected


@pytest.mark.parametrize("options", [{}, {"instructions": SYSTEM}, {"input": [{"role": "user", "content": "Hi"}]}])
def test_tokens_are_counted_as_they_are_used(server: str, options: Any) -> None:
    usage = ask(server, **options).usage
    assert usage
    assert usage.input_tokens == count(server, **options)


def test_what_the_cache_held_is_told(server: str) -> None:
    asked = "What has six legs and buzzes?"
    first, second = (ask(server, input=asked).usage for _ in range(2))
    assert first
    assert second
    assert second.input_tokens_details.cached_tokens == second.input_tokens - 1


def test_an_answer_that_the_model_ends_is_complete(server: str) -> None:
    response = ask(server, extra_body=YES)
    assert (response.output_text, response.status, response.incomplete_details) == ("yes", "completed", None)
    assert items(response)[0]["status"] == "completed"
    assert response.completed_at


def test_an_answer_that_the_limit_ends_is_incomplete(server: str) -> None:
    response = ask(server)
    assert response.status == "incomplete"
    assert response.incomplete_details
    assert response.incomplete_details.reason == "max_output_tokens"
    assert items(response)[0]["status"] == "incomplete"


def test_a_response_repeats_what_was_asked_for(server: str) -> None:
    asked: dict[str, Any] = {
        "instructions": SYSTEM,
        "metadata": {"purpose": "a test"},
        "max_output_tokens": 4,
        "temperature": 0.5,
        "top_p": 0.5,
        "parallel_tool_calls": True,
        "truncation": "auto",
        "user": "somebody",
        "safety_identifier": "somebody",
        "prompt_cache_key": "a key",
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"format": {"type": "json_object"}, "verbosity": "low"},
        "max_tool_calls": 3,
    }
    answered = ask(server, **asked).to_dict()
    assert {name: answered[name] for name in asked} == asked


def test_what_has_no_effect_is_accepted(server: str) -> None:
    plain = ask(server)
    options: dict[str, Any] = {
        "service_tier": "flex",
        "background": False,
        "include": ["web_search_call.action.sources", "file_search_call.results"],
        "prompt_cache_retention": "24h",
        "extra_body": {"client_metadata": {"a": "b"}, "context_management": [], "conversation": None},
    }
    assert ask(server, **options).output_text == plain.output_text
    assert (
        ask_events(server, stream_options={"include_obfuscation": False})[-1].response.output_text == plain.output_text
    )


@pytest.mark.parametrize("options", [{"extra_body": {"top_k": 1}}, {"top_p": 0.0001}])
def test_options_choose_the_tokens(server: str, options: Any) -> None:
    assert ask(server, temperature=1, **options).output_text == ask(server).output_text


class Cat(BaseModel):
    name: Literal["Tom", "Kitty"]
    sleeps: bool


def test_an_answer_is_parsed_with_the_schema_of_a_class(server: str) -> None:
    response = openai_client(server).responses.parse(model=MODEL, input="A cat?", text_format=Cat)
    assert isinstance(response.output_parsed, Cat)
    assert response.status == "completed"


def test_a_stream_is_parsed_with_the_schema_of_a_class(server: str) -> None:
    with openai_client(server).responses.stream(model=MODEL, input="A cat?", text_format=Cat) as stream:
        final = stream.get_final_response()
    assert isinstance(final.output_parsed, Cat)


def test_json_object_is_an_object(server: str) -> None:
    asked = {"text": {"format": {"type": "json_object"}}, "temperature": 1}
    whole = next(text for seed in range(20) if (text := _whole(server, asked | {"extra_body": {"seed": seed}})))
    assert isinstance(json.loads(whole), dict)


def _whole(server: str, options: dict[str, Any]) -> str | None:
    response = ask(server, **options, max_output_tokens=200)
    return response.output_text if response.status == "completed" else None


def test_log_probabilities_are_returned_with_the_text(server: str) -> None:
    options: dict[str, Any] = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
    response = ask(server, **options)
    [message] = response.output
    assert message.type == "message"
    [part] = message.content
    assert part.type == "output_text"
    assert part.logprobs
    assert "".join(each.token for each in part.logprobs) == part.text
    assert {len(each.top_logprobs) for each in part.logprobs} == {2}
    deltas = [event for event in ask_events(server, **options) if event.type == "response.output_text.delta"]
    streamed = [each.logprob for event in deltas for each in event.logprobs]
    assert streamed == pytest.approx([each.logprob for each in part.logprobs], abs=0.02)


def test_log_probabilities_have_to_be_asked_for(server: str) -> None:
    assert items(ask(server))[0]["content"][0]["logprobs"] == []


def test_async_client_asks_for_several_responses_at_once(server: str) -> None:
    async def ask_all() -> list[str]:
        async with async_openai_client(server) as client:
            options: dict[str, Any] = {"model": MODEL, "input": TELL, "max_output_tokens": 8, "temperature": 0}
            answers = await asyncio.gather(*(client.responses.create(**options) for _ in range(4)))
            return [answer.output_text for answer in answers]

    assert set(asyncio.run(ask_all())) == {ask(server).output_text}


THINKING = (
    "{% for message in messages %}{{ message.role }}: {% if message.reasoning_content %}<think>"
    "{{ message.reasoning_content }}</think>{% endif %}{{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: <think>\n"
    "{% if enable_thinking is defined and not enable_thinking %}\n</think>\n\n{% endif %}{% endif %}"
)
THOUGHT = {"grammar": 'root ::= "<think>\\nI see a cat.\\n</think>\\n\\nA cat!"'}
SEALED: dict[str, Any] = {"include": ["reasoning.encrypted_content"], "store": False}


@pytest.fixture(scope="module")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("thinker")
    (folder / "template").write_text(THINKING)
    with running_server(folder, "--chat-template-file", str(folder / "template")) as url:
        yield url


def think(thinker: str, **options: Any) -> Any:
    return ask(thinker, **{"max_output_tokens": 60, "extra_body": THOUGHT} | options)


def test_thoughts_are_an_item_before_the_answer(thinker: str) -> None:
    response = think(thinker)
    thoughts, answer = response.output
    assert (thoughts.type, thoughts.summary) == ("reasoning", [])
    assert [part.text for part in thoughts.content] == ["I see a cat."]
    assert (answer.type, response.output_text) == ("message", "A cat!")
    details = response.usage.output_tokens_details
    assert 0 < details.reasoning_tokens < response.usage.output_tokens


def test_thoughts_are_a_summary_if_one_is_asked_for(thinker: str) -> None:
    thoughts, _ = think(thinker, reasoning={"summary": "auto"}).output
    assert [part.text for part in thoughts.summary] == ["I see a cat."]
    assert thoughts.content is None


@pytest.mark.parametrize(("summary", "kind"), [(None, "reasoning_text"), ("detailed", "reasoning_summary_text")])
def test_thoughts_are_streamed(thinker: str, summary: Any, kind: str) -> None:
    events = ask_events(thinker, max_output_tokens=60, reasoning={"summary": summary}, extra_body=THOUGHT)
    deltas = [event.delta for event in events if event.type == f"response.{kind}.delta"]
    assert "".join(deltas) == "I see a cat."
    assert kinds(events)[2] == "output_item.added"
    assert items(events[-1].response) == items(think(thinker, reasoning={"summary": summary}))
    assert events[-1].response.usage.output_tokens_details == think(thinker).usage.output_tokens_details


def test_thinking_can_be_turned_off(thinker: str) -> None:
    assert [item.type for item in ask(thinker, reasoning={"effort": "none"}).output] == ["message"]
    on, off = (count(thinker, reasoning={"effort": effort}) for effort in ("high", "none"))
    assert on < off  # the template ends the thoughts itself


def test_thoughts_go_back_in_as_the_client_has_them(thinker: str) -> None:
    end: Any = {"role": "user", "content": "Go on."}
    start: Any = {"role": "user", "content": TELL}
    answered = [item.model_dump(exclude_none=True) for item in think(thinker, **SEALED).output]
    whole = count(thinker, input=[start, *answered, end])
    sealed = [
        {name: part for name, part in item.items() if item["type"] == "message" or name != "content"}
        for item in answered
    ]
    without = count(thinker, input=[start, answered[1], end])
    assert whole == count(thinker, input=[start, *sealed, end]) > without
