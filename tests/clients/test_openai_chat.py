"""Chats with OpenAI's client."""

import asyncio
from pathlib import Path
from typing import Any, Literal

import openai
import pytest
from openai.types.chat import ChatCompletion
from pydantic import BaseModel, Field

from tests.clients.openai_clients import MODEL, async_openai_client, checked_usage, openai_client
from tests.conftest import running_server
from tests.server.http_client import events, post

DONE = b"data: [DONE]\n\n"
TELL: Any = [{"role": "user", "content": "Tell me a story."}]


def chat(server: str, **options: Any) -> ChatCompletion:
    """Returns a short answer that is the same each time, unless `options` say otherwise."""
    fields: dict[str, Any] = {"model": MODEL, "messages": TELL, "max_tokens": 8, "temperature": 0} | options
    answer: ChatCompletion = openai_client(server).chat.completions.create(**fields)
    return answer


@pytest.mark.parametrize("base", ["/v1", "", "/"])
def test_a_chat_is_answered_with_and_without_the_prefix(server: str, base: str) -> None:
    answer = openai_client(server, base).chat.completions.create(
        model=MODEL, messages=TELL, max_tokens=8, temperature=0
    )
    assert (answer.object, answer.model) == ("chat.completion", "bundled")
    assert answer.id.startswith("chatcmpl-")
    assert answer.system_fingerprint
    assert answer.system_fingerprint.startswith("b")
    message = answer.choices[0].message
    assert (message.role, message.tool_calls, message.refusal) == ("assistant", None, None)
    assert message.content == chat(server).choices[0].message.content
    assert answer.choices[0].finish_reason == "length"


def test_prompt_is_what_the_template_makes_of_the_chat(server: str) -> None:
    prompt = post(server, {"messages": TELL}, "/apply-template").json()["prompt"]
    assert prompt == "<|im_start|>user\nTell me a story.<|im_end|>\n<|im_start|>assistant\n"
    tokens = post(server, {"content": prompt}, "/tokenize").json()["tokens"]
    answer = chat(server)
    assert checked_usage(answer) == (len(tokens), 8)
    native = post(server, {"prompt": tokens, "n_predict": 8, "temperature": 0, "repeat_penalty": 1}).json()
    assert answer.choices[0].message.content == native["content"]


@pytest.mark.parametrize("base", ["/v1", ""])
def test_tokens_of_a_chat_are_counted_without_an_answer(server: str, base: str) -> None:
    usage = chat(server).usage
    assert usage
    counted = post(server, {"messages": TELL}, f"{base}/chat/completions/input_tokens").json()
    assert counted == {"object": "response.input_tokens", "input_tokens": usage.prompt_tokens}
    refused = post(server, {"messages": []}, f"{base}/chat/completions/input_tokens")
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "messages")


@pytest.mark.parametrize("path", ["/v1/chat/completions/input_tokens", "/chat/completions/input_tokens"])
def test_tokens_are_counted_as_they_are_used(server: str, path: str) -> None:
    tool = {"type": "function", "function": {"name": "get_time"}}
    body = {"messages": TELL, "tools": [tool], "tool_choice": "none"}
    counted = post(server, body, path).json()
    assert counted == {"object": "response.input_tokens", "input_tokens": checked_usage(chat(server, **body))[0]}


def test_cached_tokens_are_told(server: str) -> None:
    chat(server)
    usage = chat(server).usage
    assert usage
    assert usage.prompt_tokens_details
    assert usage.prompt_tokens_details.cached_tokens == usage.prompt_tokens - 1


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_limit_has_two_names(server: str, name: str) -> None:
    answer = chat(server, **{"max_tokens": None, name: 3})
    assert checked_usage(answer)[1] == 3


def test_choices_differ_and_come_out_the_same_with_a_seed(server: str) -> None:
    def texts() -> list[str | None]:
        answer = chat(server, n=3, temperature=1.5, seed=11, max_tokens=12)
        assert [choice.index for choice in answer.choices] == [0, 1, 2]
        return [choice.message.content for choice in answer.choices]

    assert len(set(texts())) == 3
    assert texts() == texts()


def test_assistants_last_message_is_continued(server: str) -> None:
    conversation: Any = [*TELL, {"role": "assistant", "content": "Once upon a time"}]
    content = chat(server, messages=conversation).choices[0].message.content
    prompt = post(server, {"messages": conversation}, "/apply-template").json()["prompt"]
    assert prompt.endswith("assistant\nOnce upon a time")
    assert content
    assert not content.startswith("Once upon a time")


def test_content_may_be_parts_and_a_role_may_be_missing(server: str) -> None:
    parts: Any = [{"content": [{"type": "text", "text": "Tell me"}, {"type": "text", "text": " a story."}]}]
    assert chat(server, messages=parts).choices[0].message.content == chat(server).choices[0].message.content


def test_logprobs_have_as_many_candidates_as_asked_for(server: str) -> None:
    choice = chat(server, logprobs=True, top_logprobs=2, max_tokens=4).choices[0]
    assert choice.logprobs
    content = choice.logprobs.content
    assert content
    assert "".join(position.token for position in content) == choice.message.content
    for position in content:
        assert len(position.top_logprobs) == 2
        assert position.logprob == position.top_logprobs[0].logprob  # of temperature 0
        assert position.bytes == list(position.token.encode())


def test_logprobs_without_candidates_are_those_of_the_text(server: str) -> None:
    logprobs = chat(server, logprobs=True).choices[0].logprobs
    assert logprobs
    assert logprobs.content
    assert [position.top_logprobs for position in logprobs.content] == [[]] * 8


def test_candidates_without_logprobs_are_refused(server: str) -> None:
    with pytest.raises(openai.BadRequestError, match='top_logprobs: expected "logprobs": true with it'):
        chat(server, top_logprobs=2)


def test_stop_string_ends_an_answer(server: str) -> None:
    whole = chat(server, max_tokens=20).choices[0].message.content
    assert whole
    word = whole.split()[3]
    choice = chat(server, max_tokens=20, stop=word).choices[0]
    assert choice.finish_reason == "stop"
    assert choice.message.content == whole[: whole.index(word)]


def test_stream_is_the_whole_in_pieces(server: str) -> None:
    whole = chat(server, n=2, temperature=1, seed=3, logprobs=True, top_logprobs=1)
    contents, tokens = ["", ""], [0, 0]
    reasons: list[str | None] = [None, None]
    stream = openai_client(server).chat.completions.create(
        model=MODEL, messages=TELL, max_tokens=8, n=2, temperature=1, seed=3, logprobs=True, top_logprobs=1, stream=True
    )
    roles = []
    for chunk in stream:
        choice = chunk.choices[0]
        assert (chunk.object, chunk.usage) == ("chat.completion.chunk", None)
        roles += [choice.index] if choice.delta.role == "assistant" else []
        contents[choice.index] += choice.delta.content or ""
        tokens[choice.index] += len(choice.logprobs.content or ()) if choice.logprobs else 0
        reasons[choice.index] = choice.finish_reason or reasons[choice.index]
    assert contents == [choice.message.content for choice in whole.choices]
    assert (sorted(roles), reasons, tokens) == ([0, 1], ["length", "length"], [8, 8])


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_verbose_answer_shows_the_prompt_and_the_settings(server: str, path: str) -> None:
    fields = {"messages": TELL, "prompt": "Tell me a story.", "max_tokens": 2, "temperature": 0.25}
    body = post(server, fields | {"verbose": True}, path).json()
    shown = body["__verbose"]
    assert "Tell me a story." in shown["prompt"]
    assert ("<|im_start|>" in shown["prompt"]) == ("chat" in path)
    assert shown["generation_settings"]["temperature"] == 0.25
    assert shown["tokens_predicted"] == 2
    assert "__verbose" not in post(server, fields, path).json()
    chunks = list(events(post(server, fields | {"verbose": True, "stream": True}, path).content.removesuffix(DONE)))
    assert ["__verbose" in chunk for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1]["__verbose"]["prompt"] == shown["prompt"]


def test_verbose_answer_shows_how_the_text_is_taken_apart(server: str) -> None:
    tool = {"type": "function", "function": {"name": "get_time"}}
    forms = {}
    for options in ({}, {"tools": [tool]}, {"reasoning_format": "none", "stream": False}):
        fields = {"messages": TELL, "max_tokens": 1, "verbose": True, **options}
        settings = post(server, fields, "/v1/chat/completions").json()["__verbose"]["generation_settings"]
        forms[(*options, "")[0]] = (settings["chat_format"], settings["reasoning_format"])
        assert settings["reasoning_in_content"] is False
    assert forms == {
        "": ("Content-only", "auto"),
        "tools": ("peg-native", "auto"),
        "reasoning_format": ("Content-only", "none"),
    }


def test_stream_ends_with_the_usage_that_was_asked_for(server: str) -> None:
    *_, before, last = openai_client(server).chat.completions.create(
        model=MODEL, messages=TELL, max_tokens=5, stream=True, stream_options={"include_usage": True}
    )
    assert last.choices == []
    assert checked_usage(last)[1] == 5
    timings = last.to_dict()["timings"]
    assert isinstance(timings, dict)
    assert timings["predicted_n"] == 5
    assert before.choices[0].finish_reason == "length"
    assert before.choices[0].delta.content is None


def test_async_client_streams_several_chats_at_once(server: str) -> None:
    async def content(client: openai.AsyncOpenAI, seed: int) -> str:
        stream = await client.chat.completions.create(
            model=MODEL, messages=TELL, max_tokens=8, seed=seed, temperature=1, stream=True
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def ask() -> list[str]:
        async with async_openai_client(server) as client:
            return await asyncio.gather(*(content(client, seed) for seed in range(6)))

    together = asyncio.run(ask())
    for seed, text in enumerate(together):
        assert text == chat(server, seed=seed, temperature=1).choices[0].message.content


class Cat(BaseModel):
    name: Literal["Tom", "Kitty"]
    age: int = Field(ge=0, le=20)
    toys: list[Literal["ball", "mouse"]] = Field(max_length=3)


def test_answer_is_parsed_to_a_pydantic_model(server: str) -> None:
    answer = openai_client(server).chat.completions.parse(
        model=MODEL, messages=TELL, max_tokens=100, temperature=1, response_format=Cat
    )
    cat = answer.choices[0].message.parsed
    assert isinstance(cat, Cat)
    assert answer.choices[0].finish_reason == "stop"


def test_json_object_is_one(server: str) -> None:
    options: dict[str, Any] = {"response_format": {"type": "json_object"}, "max_tokens": 5, "seed": 1}
    content = chat(server, **options).choices[0].message.content
    assert content
    assert content.lstrip().startswith("{")


def test_options_of_llama_pass_through(server: str) -> None:
    options = {"grammar": 'root ::= "yes" | "no"', "slot_id": 1, "mirostat": 1, "cache_prompt": False}
    choice = chat(server, extra_body=options).choices[0]
    assert choice.message.content in ("yes", "no")
    assert choice.finish_reason == "stop"


THINKING = (
    "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: <think>\n{% endif %}{# </think> #}"
)
THOUGHT = {"grammar": 'root ::= "<think>\\nI see a cat.\\n</think>\\n\\nA cat!"'}


@pytest.fixture(scope="module")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("thinker")
    (folder / "template").write_text(THINKING)
    with running_server(folder, "--chat-template-file", str(folder / "template")) as url:
        yield url


def test_thoughts_are_told_apart_from_the_answer(thinker: str) -> None:
    message: Any = chat(thinker, max_tokens=60, extra_body=THOUGHT).choices[0].message
    assert (message.reasoning_content, message.content) == ("I see a cat.", "A cat!")


def test_thoughts_are_told_apart_in_a_stream(thinker: str) -> None:
    reasoning = content = ""
    stream = openai_client(thinker).chat.completions.create(
        model=MODEL, messages=TELL, max_tokens=60, stream=True, extra_body=THOUGHT
    )
    for chunk in stream:
        delta: Any = chunk.choices[0].delta
        reasoning += getattr(delta, "reasoning_content", None) or ""
        content += delta.content or ""
    assert (reasoning, content) == ("I see a cat.", "A cat!")


def test_text_after_a_tag_that_the_template_has_opened_is_thought(thinker: str) -> None:
    choice = chat(thinker).choices[0]
    message: Any = choice.message
    assert (message.content, choice.finish_reason) == ("", "length")
    assert message.reasoning_content


def test_thoughts_stay_in_the_text_if_asked_for(thinker: str) -> None:
    message: Any = chat(thinker, max_tokens=60, extra_body={**THOUGHT, "reasoning_format": "none"}).choices[0].message
    assert message.content == "<think>\nI see a cat.\n</think>\n\nA cat!"
    assert not hasattr(message, "reasoning_content")


def test_thoughts_are_in_the_text_as_well_if_asked_for(thinker: str) -> None:
    options = {**THOUGHT, "reasoning_format": "deepseek-legacy"}
    message: Any = chat(thinker, max_tokens=60, extra_body=options).choices[0].message
    assert message.reasoning_content == "I see a cat."
    assert message.content == "<think>\nI see a cat.\n</think>\n\nA cat!"
    stream = openai_client(thinker).chat.completions.create(
        model=MODEL, messages=TELL, max_tokens=60, stream=True, extra_body=options
    )
    deltas: list[Any] = [chunk.choices[0].delta for chunk in stream]
    assert "".join(delta.content or "" for delta in deltas) == message.content
    assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas) == message.reasoning_content


def test_flag_keeps_thoughts_in_the_text_of_all_chats(tmp_path: Path) -> None:
    (tmp_path / "template").write_text(THINKING)
    flags = ("--chat-template-file", str(tmp_path / "template"), "--reasoning-format", "none")
    with running_server(tmp_path, *flags) as url:
        assert chat(url).choices[0].message.content


def test_wrong_message_is_a_bad_request_that_names_it(server: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        chat(server, messages=[{"role": "user", "content": 5}])
    assert caught.value.param == "messages[0].content"


def test_chat_that_is_too_long_has_the_code_that_clients_look_for(server: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        chat(server, messages=[{"role": "user", "content": "a " * 5000}])
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "messages")


def test_system_prompt_of_the_server_opens_chats_that_have_none(tmp_path: Path) -> None:
    (tmp_path / "system").write_text("You are a bear.")
    with running_server(tmp_path, "--system-prompt-file", str(tmp_path / "system")) as url:
        with_it = [{"role": "system", "content": "You are a bear."}, *TELL]
        prompt = post(url, {"messages": with_it}, "/apply-template").json()["prompt"]
        tokens = post(url, {"content": prompt}, "/tokenize").json()["tokens"]
        assert checked_usage(chat(url))[0] == checked_usage(chat(url, messages=with_it))[0] == len(tokens)


def test_system_prompt_of_a_request_opens_its_own_chat_too(tmp_path: Path) -> None:
    with running_server(tmp_path) as url:
        plain = checked_usage(chat(url))[0]
        first = checked_usage(chat(url, extra_body={"system_prompt": "You are a bear."}))[0]
        assert first == checked_usage(chat(url))[0] > plain


def test_stream_without_a_token_says_whose_it_is(server: str) -> None:
    first, last = openai_client(server).chat.completions.create(model=MODEL, messages=TELL, max_tokens=0, stream=True)
    assert first.choices[0].delta.role == "assistant"
    assert last.choices[0].finish_reason == "length"


def test_no_likely_tokens_are_no_likely_tokens(server: str) -> None:
    assert chat(server, top_logprobs=0).choices[0].logprobs is None
