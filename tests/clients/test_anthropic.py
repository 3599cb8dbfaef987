"""Chats with Anthropic's client."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from tests.clients.anthropic_clients import (
    GREEDY,
    MODEL,
    TELL,
    anthropic_client,
    ask,
    async_anthropic_client,
    blocks,
    count,
    prompt_length,
    text_of,
)
from tests.conftest import running_server
from tests.server.http_client import post, tokenize

SYSTEM = "You tell stories about cats."
ENDLESS = {"ignore_eos": True}


def prompt_of(server: str, messages: list[Any]) -> str:
    """The prompt of a chat in OpenAI's form."""
    prompt: str = post(server, {"messages": messages}, "/apply-template").json()["prompt"]
    return prompt


def test_a_message_is_answered(server: str) -> None:
    message = ask(server)
    assert (message.type, message.role, message.model) == ("message", "assistant", "bundled")
    assert message.id.startswith("msg_")
    assert (message.stop_reason, message.stop_sequence) == ("max_tokens", None)
    assert (prompt_length(message), message.usage.output_tokens) == (len(tokenize(server, prompt_of(server, TELL))), 8)


def test_the_answer_is_that_of_the_other_dialects(server: str) -> None:
    chat = post(server, {"messages": TELL, "max_tokens": 8, "temperature": 0}, "/v1/chat/completions").json()
    assert text_of(ask(server)) == chat["choices"][0]["message"]["content"]


@pytest.mark.parametrize("system", [SYSTEM, [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}]])
def test_system_prompt_is_a_text_or_blocks(server: str, system: Any) -> None:
    expected = len(tokenize(server, prompt_of(server, [{"role": "system", "content": SYSTEM}, *TELL])))
    assert prompt_length(ask(server, system=system)) == expected


def test_blocks_and_neighbours_of_one_role_are_one_turn(server: str) -> None:
    [first, second] = [{"type": "text", "text": text} for text in ("A cat.", "A dog.")]
    together: Any = [{"role": "user", "content": [first, second]}]
    apart: Any = [{"role": "user", "content": [first]}, {"role": "user", "content": "A dog."}]
    plain = prompt_of(server, [{"role": "user", "content": "A cat.\nA dog."}])
    assert count(server, together) == count(server, apart) == len(tokenize(server, plain))


def test_an_answer_that_has_begun_is_continued(server: str) -> None:
    begun: Any = [*TELL, {"role": "assistant", "content": "The red"}]
    prompt = prompt_of(server, TELL) + "The red"
    native = post(server, {"prompt": prompt, "n_predict": 8, "temperature": 0, "repeat_penalty": 1}).json()
    assert text_of(ask(server, messages=begun)) == native["content"]


def test_events_come_in_their_order(server: str) -> None:
    events = list(
        anthropic_client(server).messages.create(
            model=MODEL, messages=TELL, max_tokens=3, extra_body=GREEDY, stream=True
        )
    )
    deltas = ["content_block_delta"] * 3
    expected = ["message_start", "content_block_start", *deltas, "content_block_stop", "message_delta", "message_stop"]
    assert [event.type for event in events] == expected
    start, ending = events[0], events[-2]
    assert start.type == "message_start"
    assert (start.message.content, start.message.stop_reason) == ([], None)
    assert ending.type == "message_delta"
    assert (ending.delta.stop_reason, ending.usage.output_tokens) == ("max_tokens", 3)
    assert ending.usage.input_tokens == start.message.usage.input_tokens
    assert ending.usage.cache_read_input_tokens == start.message.usage.cache_read_input_tokens


def test_a_stream_has_names_of_events(server: str) -> None:
    body = post(server, {"messages": TELL, "max_tokens": 1, "stream": True}, "/v1/messages").text
    names = [line.removeprefix("event: ") for line in body.splitlines() if line.startswith("event: ")]
    assert names[0] == "message_start"
    assert names[-1] == "message_stop"
    assert body.endswith("\n\n")


def test_progress_does_not_disturb_the_client(server: str) -> None:
    with anthropic_client(server).messages.stream(
        model=MODEL, messages=TELL, max_tokens=8, extra_body=GREEDY | {"return_progress": True}
    ) as stream:
        final = stream.get_final_message()
    whole = ask(server)
    assert blocks(final) == blocks(whole)
    assert prompt_length(final) == prompt_length(whole)


def test_the_helper_for_streams_collects_the_whole(server: str) -> None:
    with anthropic_client(server).messages.stream(
        model=MODEL, messages=TELL, max_tokens=12, extra_body=GREEDY
    ) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    whole = ask(server, max_tokens=12)
    assert text == text_of(whole)
    assert (blocks(final), final.stop_reason) == (blocks(whole), whole.stop_reason)
    assert prompt_length(final) == prompt_length(whole)


def test_async_client_streams_several_messages_at_once(server: str) -> None:
    async def tell(client: Any, seed: int) -> str:
        options = {"seed": seed, "temperature": 1}
        async with client.messages.stream(model=MODEL, messages=TELL, max_tokens=8, extra_body=options) as stream:
            return "".join([text async for text in stream.text_stream])

    async def tell_all() -> list[str]:
        async with async_anthropic_client(server) as client:
            return await asyncio.gather(*(tell(client, seed) for seed in range(4)))

    for seed, text in enumerate(asyncio.run(tell_all())):
        assert text == text_of(ask(server, extra_body={"seed": seed, "temperature": 1}))


def test_it_is_said_which_stop_sequence_ended_the_answer(server: str) -> None:
    whole = text_of(ask(server, max_tokens=20))
    word = whole.split()[3]
    message = ask(server, max_tokens=20, stop_sequences=["never", word])
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", word)
    assert text_of(message) == whole[: whole.index(word)]
    *_, ending, _ = anthropic_client(server).messages.create(
        model=MODEL, messages=TELL, max_tokens=20, extra_body=GREEDY, stop_sequences=[word], stream=True
    )
    assert ending.type == "message_delta"
    assert (ending.delta.stop_reason, ending.delta.stop_sequence) == ("stop_sequence", word)


def test_an_answer_that_the_model_ends_is_a_turn(server: str) -> None:
    message = ask(server, extra_body={"grammar": 'root ::= "yes"'})
    assert (text_of(message), message.stop_reason) == ("yes", "end_turn")


def test_the_end_of_the_context_is_told_apart_from_the_limit(server: str) -> None:
    message = ask(server, max_tokens=32_000, messages=[{"role": "user", "content": "a " * 1900}], extra_body=ENDLESS)
    assert message.stop_reason == "model_context_window_exceeded"


def test_a_limit_of_0_fills_the_cache_only(server: str) -> None:
    asked: Any = [{"role": "user", "content": "What has four legs and barks?"}]
    message = ask(server, messages=asked, max_tokens=0)
    assert (text_of(message), message.usage.output_tokens) == ("", 0)
    usage = ask(server, messages=asked).usage
    assert usage.input_tokens == 1
    first, *_ = anthropic_client(server).messages.create(
        model=MODEL, messages=asked, max_tokens=0, stream=True, extra_body=GREEDY
    )
    assert first.type == "message_start"


def test_options_choose_the_tokens(server: str) -> None:
    greedy = text_of(ask(server))
    for only_the_best in ({"top_k": 1}, {"top_p": 0.0001}):
        assert text_of(ask(server, extra_body={"temperature": 1, **only_the_best})) == greedy
    free = {"temperature": 1, "top_k": 0, "top_p": 1}
    assert len({text_of(ask(server, extra_body={**free, "seed": seed})) for seed in range(16)}) > 1


def test_what_has_no_effect_is_accepted(server: str) -> None:
    cached: Any = {"type": "ephemeral", "ttl": "1h"}
    content: Any = [{"type": "text", "text": TELL[0]["content"], "cache_control": cached}]
    thinking: Any = {"type": "enabled", "budget_tokens": 1024}
    message = ask(
        server,
        messages=[{"role": "user", "content": content}],
        metadata={"user_id": "somebody"},
        thinking=thinking,
        service_tier="auto",
        cache_control=cached,
        extra_headers={"anthropic-beta": "interleaved-thinking-2025-05-14"},
    )
    assert text_of(message) == text_of(ask(server))


@pytest.mark.parametrize("options", [{}, {"system": SYSTEM}, {"thinking": {"type": "disabled"}}])
def test_tokens_are_counted_as_they_are_used(server: str, options: Any) -> None:
    assert count(server, **options) == prompt_length(ask(server, **options))


class Cat(BaseModel):
    name: Literal["Tom", "Kitty"]
    sleeps: bool


def test_an_answer_is_parsed_with_the_schema_of_a_class(server: str) -> None:
    answer = anthropic_client(server).messages.parse(model=MODEL, messages=TELL, max_tokens=200, output_format=Cat)
    assert isinstance(answer.parsed_output, Cat)
    assert answer.stop_reason == "end_turn"


THINKING = (
    "{% for message in messages %}{{ message.role }}: {% if message.reasoning_content %}<think>"
    "{{ message.reasoning_content }}</think>{% endif %}{{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: <think>\n"
    "{% if enable_thinking is defined and not enable_thinking %}\n</think>\n\n{% endif %}{% endif %}"
)
THOUGHT = {"grammar": 'root ::= "<think>\\nI see a cat.\\n</think>\\n\\nA cat!"'}


@pytest.fixture(scope="module")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("thinker")
    (folder / "template").write_text(THINKING)
    with running_server(folder, "--chat-template-file", str(folder / "template")) as url:
        yield url


def test_thoughts_are_a_block_with_a_signature(thinker: str) -> None:
    thoughts, answer = ask(thinker, max_tokens=60, extra_body=THOUGHT).content
    assert thoughts.type == "thinking"
    assert answer.type == "text"
    assert (thoughts.thinking, answer.text) == ("I see a cat.", "A cat!")
    assert thoughts.signature


def test_thoughts_are_streamed_as_a_block(thinker: str) -> None:
    with anthropic_client(thinker).messages.stream(
        model=MODEL, messages=TELL, max_tokens=60, extra_body=GREEDY | THOUGHT
    ) as stream:
        thinking = "".join(event.thinking for event in stream if event.type == "thinking")
        final = stream.get_final_message()
    assert thinking == "I see a cat."
    assert blocks(final) == blocks(ask(thinker, max_tokens=60, extra_body=THOUGHT))


def test_thoughts_that_do_not_end_are_thoughts(thinker: str) -> None:
    [block] = ask(thinker).content
    assert block.type == "thinking"
    assert block.thinking


def test_thinking_can_be_turned_off(thinker: str) -> None:
    assert text_of(ask(thinker, thinking={"type": "disabled"}))
    on, off = (count(thinker, thinking={"type": kind}) for kind in ("adaptive", "disabled"))
    assert on < off  # the template ends the thoughts itself


def test_thoughts_of_earlier_answers_go_back_in(thinker: str) -> None:
    answered = ask(thinker, max_tokens=60, extra_body=THOUGHT)
    end: Any = {"role": "user", "content": "Go on."}
    with_thoughts = count(thinker, [*TELL, {"role": "assistant", "content": answered.content}, end])
    without = count(thinker, [*TELL, {"role": "assistant", "content": answered.content[1:]}, end])
    hidden = [{"type": "redacted_thinking", "data": "AAAA"}, *answered.content[1:]]
    assert with_thoughts > without == count(thinker, [*TELL, {"role": "assistant", "content": hidden}, end])
