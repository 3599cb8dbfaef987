from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import running_server
from tests.server.chat.templates import BRACKETS
from tests.server.http_client import get, get_error, post
from tests.server.program import run_failing

VARIABLES = "{{- sign | default('') }}{{ documents | tojson if documents }}"
SPY = "{% if messages[0].content == 'spy' %}{{ ''.__class__.__mro__ }}{% endif %}"
HI = {"role": "user", "content": "Hi"}
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


@pytest.fixture(scope="module")
def brackets_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("brackets")
    (folder / "template.jinja").write_text(VARIABLES + SPY + BRACKETS)
    flags = ("--chat-template-file", str(folder / "template.jinja"), "--chat-template-kwargs", '{"sign": "!"}')
    with running_server(folder, *flags) as url:
        yield url


def ask(url: str, *messages: Any, **fields: Any) -> requests.Response:
    return post(url, {"messages": list(messages), **fields}, "/apply-template")


def prompt(url: str, *messages: Any, **fields: Any) -> str:
    response = ask(url, *messages, **fields)
    assert response.status_code == 200, response.text
    assert response.json().keys() == {"prompt"}
    return str(response.json()["prompt"])


def refusal(url: str, *messages: Any, **fields: Any) -> str:
    error = get_error(ask(url, *messages, **fields))
    assert (error["code"], error["type"]) == (400, "invalid_request_error")
    return str(error["message"])


def test_prompt_is_what_the_models_template_makes_of_messages(server: str) -> None:
    parts = [{"type": "text", "text": "Be brief."}]
    assert prompt(server, {"role": "system", "content": parts}, {"content": "Hi"}) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )


def test_answer_that_has_begun_goes_on(server: str) -> None:
    text = prompt(server, HI, {"role": "assistant", "content": "Once "})
    assert text == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nOnce "


def test_parts_of_an_answer_that_goes_on_have_a_line_between_them(server: str) -> None:
    parts = [{"type": "text", "text": "Once"}, {"type": "text", "text": "upon"}]
    assert prompt(server, HI, {"role": "assistant", "content": parts}).endswith("assistant\nOnce\n\nupon")


@pytest.mark.parametrize("part", [True, "content"])
def test_last_message_goes_on_if_the_request_says_so(server: str, part: object) -> None:
    answer = {"role": "assistant", "content": "Once "}
    text = prompt(server, HI, answer, add_generation_prompt=False, continue_final_message=part)
    assert text == prompt(server, HI, answer, continue_final_message=part) == prompt(server, HI, answer)
    closed = prompt(server, HI, answer, add_generation_prompt=False, continue_final_message=False)
    assert closed == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nOnce <|im_end|>\n"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"continue_final_message": True, "add_generation_prompt": True}, "add_generation_prompt: expected false"),
        ({"continue_final_message": 1}, "continue_final_message: expected true, false, content or reasoning_content"),
        ({"chat_template_kwargs": {"enable_thinking": "no"}}, "chat_template_kwargs.enable_thinking: expected true"),
    ],
)
def test_what_contradicts_itself_is_refused(server: str, fields: dict[str, Any], words: str) -> None:
    assert refusal(server, HI, {"role": "assistant", "content": "Once "}, **fields).startswith(words)


def test_only_an_answer_goes_on(server: str) -> None:
    assert refusal(server, HI, continue_final_message=True).startswith("continue_final_message: expected an answer")


def test_only_one_answer_goes_on(server: str) -> None:
    answer = {"role": "assistant", "content": "Once "}
    assert refusal(server, HI, answer, answer).startswith("messages: expected no two of the assistant's at the end")
    assert prompt(server, HI, answer, answer, add_generation_prompt=False).count("Once") == 2
    assert prompt(server, HI, answer, answer, continue_final_message=True).endswith("Once ")


def test_generation_prompt_can_be_left_out(server: str) -> None:
    assert prompt(server, HI, add_generation_prompt=False) == "<|im_start|>user\nHi<|im_end|>\n"


def test_long_chat_is_rendered(server: str) -> None:
    assert prompt(server, *[{"content": "a word or two"}] * 2000).count("a word or two") == 2000


def test_template_of_a_file_is_used(brackets_server: str) -> None:
    assert prompt(brackets_server, HI) == "!<|endoftext|>[INST] Hi [/INST]"


def test_props_show_the_template_in_use_and_what_it_knows(server: str, brackets_server: str) -> None:
    props = get(f"{brackets_server}/props").json()
    assert props["chat_template"] == VARIABLES + SPY + BRACKETS
    assert props["chat_template_caps"]["supports_parallel_tool_calls"]
    assert not props["chat_template_caps"]["supports_system_role"]
    caps = get(f"{server}/props").json()["chat_template_caps"]
    assert {name for name, is_so in caps.items() if is_so} == {"supports_string_content", "supports_system_role"}


def test_variables_of_a_request_override_those_of_the_flag(brackets_server: str) -> None:
    assert prompt(brackets_server, HI, chat_template_kwargs={"sign": "?"}).startswith("?<|endoftext|>")
    assert prompt(brackets_server, HI, chat_template_kwargs={"other": "?"}).startswith("!<|endoftext|>")


def test_tools_and_documents_reach_the_template(brackets_server: str) -> None:
    text = prompt(brackets_server, HI, tools=[TOOL], documents=[{"text": "a"}])
    assert text.startswith('![{"text": "a"}]<|endoftext|>[TOOLS][{"type": "function", "function": {"name": "add"')


def test_templates_own_message_is_the_answer(brackets_server: str) -> None:
    assert refusal(brackets_server, HI, HI) == "messages: user and assistant have to take turns"


def test_template_gets_at_nothing_of_the_program(brackets_server: str) -> None:
    message = refusal(brackets_server, {"content": "spy"})
    assert message == (
        "messages: the chat template fails in line 1: access to attribute '__class__' of 'str' object is unsafe."
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"messages": []}, "messages: expected a list of at least one message, got []"),
        ({"messages": None}, "messages: expected a list of at least one message, got nothing"),
        ({"documents": ["a"]}, 'documents: expected a list of objects, got ["a"]'),
        ({"tools": {}}, "tools: expected a list of tools, got {}"),
        ({"add_generation_prompt": 1}, "add_generation_prompt: expected true or false, got 1"),
        ({"chat_template_kwargs": []}, "chat_template_kwargs: expected an object, got []"),
        (
            {"chat_template_kwargs": {"tools": []}},
            "chat_template_kwargs.tools: expected as a field of the request itself",
        ),
        ({"reasoning_effort": 1}, "reasoning_effort: expected a string, got 1"),
    ],
)
def test_field_of_a_wrong_kind_is_refused(server: str, fields: dict[str, Any], message: str) -> None:
    assert refusal(server, HI, **fields) == message


def test_image_is_not_supported(server: str) -> None:
    error = get_error(ask(server, HI, {"content": [{"type": "image_url", "image_url": {"url": "data:"}}]}))
    assert (error["code"], error["type"]) == (501, "not_supported_error")
    assert error["message"] == "messages[1].content[0]: images are not supported, only text is"


def test_template_that_cannot_be_read_ends_the_program_with_one_line() -> None:
    message = run_failing("--chat-template", "{% if %}", code=2)
    assert message.startswith("llama-slots: error: argument --chat-template: expected a Jinja template, got one that ")
