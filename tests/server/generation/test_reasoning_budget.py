"""The options and flags that limit the thoughts of chats, in every spelling."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import running_server
from tests.server.http_client import events, post

TEMPLATE = (
    "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: <think>\n"
    "{% if enable_thinking is defined and not enable_thinking %}</think>\n{% endif %}{% endif %}"
)
TELL = [{"role": "user", "content": "Tell me a story about a cat."}]
CHAT = {"messages": TELL, "max_tokens": 48, "temperature": 0, "ignore_eos": True}
ADD = {"type": "function", "function": {"name": "add", "parameters": {"properties": {"a": {"type": "integer"}}}}}
FLAGS = ("--reasoning-budget", "7", "--reasoning-budget-message", " Enough.")


@pytest.fixture(scope="module")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("thinker")
    (folder / "template").write_text(TEMPLATE)
    with running_server(folder, "--chat-template-file", str(folder / "template"), *FLAGS) as url:
        yield url


def ask(url: str, path: str = "/v1/chat/completions", **fields: Any) -> Any:
    response = post(url, CHAT | fields, path)
    assert response.status_code == 200, response.text
    return response.json()


def thoughts(url: str, **fields: Any) -> str:
    return str(ask(url, **fields)["choices"][0]["message"]["reasoning_content"])


def n_tokens(url: str, text: str) -> int:
    return len(post(url, {"content": "\n" + text}, "/tokenize").json()["tokens"]) - 1


def test_the_flags_set_the_budget_and_its_message(thinker: str) -> None:
    message = ask(thinker)["choices"][0]["message"]
    before = message["reasoning_content"].removesuffix(" Enough.")
    assert message["reasoning_content"] != before
    assert n_tokens(thinker, before) <= 7
    assert message["content"]


@pytest.mark.parametrize(
    "name", ["reasoning_budget_tokens", "thinking_budget_tokens", "thinking_token_budget", "reasoning_budget"]
)
def test_a_request_sets_its_own(thinker: str, name: str) -> None:
    free = thoughts(thinker, reasoning_budget_tokens=48)
    limited = thoughts(thinker, **{name: 3}, reasoning_budget_message=" So.")
    assert limited.endswith(" So.")
    assert free.startswith(limited.removesuffix(" So."))
    assert len(limited) < len(thoughts(thinker))
    assert thoughts(thinker, **{name: -1}) == thoughts(thinker)


def test_a_stream_has_the_same_thoughts(thinker: str) -> None:
    body = post(thinker, CHAT | {"stream": True}, "/v1/chat/completions").content.removesuffix(b"data: [DONE]\n\n")
    deltas = [event["choices"][0]["delta"] for event in events(body)]
    whole = ask(thinker)["choices"][0]["message"]
    for name in ("reasoning_content", "content"):
        assert "".join(delta.get(name) or "" for delta in deltas) == whole[name]


def test_anthropic_s_budget_is_that_of_thinking(thinker: str) -> None:
    def thought(**fields: Any) -> str:
        [block, _] = ask(thinker, "/v1/messages", reasoning_budget_message=" So.", **fields)["content"]
        return str(block["thinking"])

    thinking = {"type": "enabled", "budget_tokens": 3}
    assert thought(thinking=thinking) == thought(reasoning_budget_tokens=3) != thought()
    assert thought(thinking=thinking, reasoning_budget_tokens=7) == thought()


def test_a_call_comes_after_thoughts_that_were_ended(thinker: str) -> None:
    [choice] = ask(thinker, tools=[ADD], tool_choice="required", max_tokens=200, ignore_eos=False)["choices"]
    assert choice["message"]["reasoning_content"].endswith(" Enough.")
    [call] = choice["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]).keys() <= {"a"}


def test_json_comes_after_thoughts_that_were_ended(thinker: str) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}
    [choice] = ask(thinker, json_schema=schema, ignore_eos=False)["choices"]
    assert choice["message"]["reasoning_content"].endswith(" Enough.")
    assert isinstance(json.loads(choice["message"]["content"])["a"], bool)


@pytest.mark.parametrize("fields", [{"regex": "abc"}, {"chat_template_kwargs": {"enable_thinking": False}}])
def test_an_answer_without_thoughts_is_as_it_is(thinker: str, fields: Any) -> None:
    message = ask(thinker, **fields)["choices"][0]["message"]
    assert "Enough" not in message["content"]
    assert "reasoning_content" not in message


def test_the_message_does_not_end_the_thoughts_itself(thinker: str) -> None:
    response = post(thinker, CHAT | {"reasoning_budget_message": "So</think>"}, "/v1/chat/completions")
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith("reasoning_budget_message: expected a text without </think>")
