import logging
import subprocess
import sys
from dataclasses import replace

import pytest

from models.source import BUNDLED_MODEL
from server.chat.prompt import tokenize_prompt
from server.chat.request import Chat
from server.chat.template.chat_format import ChatFormat
from server.chat.template.constants import CHATML
from server.chat.template.probes import CALLS
from server.chat.tools.request import ToolRequest
from slots.errors import InvalidRequest
from slots.llama import Model, Vocab
from slots.options import ModelOptions
from tests.server.chat.chat_messages import assistant, user
from tests.server.chat.templates import HEADERS_AND_DATE, ROLES_ONLY, TAGGED_TOOLS

BROKEN = "{% if %}"


@pytest.fixture(scope="module")
def vocab() -> Vocab:
    return Model(ModelOptions(BUNDLED_MODEL), lambda _share: None).vocab


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno == logging.WARNING]


def test_template_is_taken_as_it_is(vocab: Vocab, caplog: pytest.LogCaptureFixture) -> None:
    assert ChatFormat("{{ messages }}", vocab).template.source == "{{ messages }}"
    assert warnings(caplog) == []


def test_model_without_one_gets_chatml_and_a_warning(vocab: Vocab, caplog: pytest.LogCaptureFixture) -> None:
    assert ChatFormat(None, vocab).template.source == CHATML
    assert warnings(caplog) == ["The model has no chat template: ChatML is used for chats"]


def test_template_that_cannot_be_read_gives_way_to_chatml(vocab: Vocab, caplog: pytest.LogCaptureFixture) -> None:
    assert ChatFormat(BROKEN, vocab).template.source == CHATML
    [said] = warnings(caplog)
    assert said.startswith("The model's chat template cannot be read: line 1: Expected an expression")
    assert said.endswith("; ChatML is used for chats")


def test_chats_with_tools_may_have_a_template_of_their_own(vocab: Vocab) -> None:
    chat_format = ChatFormat("plain: {{ messages[0].content }}", vocab, TAGGED_TOOLS)
    tools = ToolRequest((CALLS[0].tool,), "auto", None, parallel=False)
    chat = Chat((user("Hi"),), None, (), True, {})
    assert chat_format.render(chat).text == "plain: Hi"
    with_tools = chat_format.render(replace(chat, tools=tools))
    assert with_tools.text == ChatFormat(TAGGED_TOOLS, vocab).render(replace(chat, tools=tools)).text
    assert with_tools.tool_format is not None


def test_chatml(vocab: Vocab) -> None:
    assert ChatFormat(None, vocab).template.render([user("Hi"), assistant("Yes?"), user("Bye")]) == (
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYes?<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_template_knows_the_texts_of_the_special_tokens(vocab: Vocab) -> None:
    template = ChatFormat("{{ bos_token }}{{ messages[0].content }}{{ eos_token }}", vocab).template
    assert template.render([user("Hi")]) == "<|endoftext|>Hi<|endoftext|>"


def test_special_tokens_of_a_prompt_are_tokens(vocab: Vocab) -> None:
    text = ChatFormat(None, vocab).template.render([user("Hi")])
    assert tokenize_prompt(text, vocab).count(vocab.eot or -1) == 1


def test_bos_stands_once_in_front_where_the_vocabulary_wants_it(vocab: Vocab, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = tokenize_prompt("Hi", vocab)
    monkeypatch.setattr(vocab, "add_bos", True)
    assert tokenize_prompt("Hi", vocab) == tokenize_prompt("<|endoftext|>Hi", vocab) == (vocab.bos, *plain)


def test_bos_that_only_the_template_wants_stays(vocab: Vocab) -> None:
    assert not vocab.add_bos
    assert tokenize_prompt("<|endoftext|>Hi", vocab) == (vocab.bos, *tokenize_prompt("Hi", vocab))


def test_prompt_of_nothing_is_refused(vocab: Vocab) -> None:
    with pytest.raises(InvalidRequest, match=r"^messages: expected at least one token"):
        tokenize_prompt("", vocab)


def test_calls_are_written_as_the_template_writes_them(vocab: Vocab) -> None:
    tool_format = ChatFormat(TAGGED_TOOLS, vocab).tool_format
    assert (
        tool_format
        and tool_format.write([("add", "{}", "")]) == '<tool_call>{"name": "add", "arguments": {}}</tool_call>'
    )


@pytest.mark.parametrize("source", [ROLES_ONLY, HEADERS_AND_DATE])
def test_calls_are_not_known_from_a_template_without_tools(source: str, vocab: Vocab) -> None:
    assert ChatFormat(source, vocab).tool_format is None


def test_jinja_is_not_imported_before_the_first_chat() -> None:
    code = "import sys, server.__main__, server.lifecycle.serving; print('jinja2' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"
