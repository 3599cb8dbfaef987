import logging

import pytest

from models.source import BUNDLED_MODEL
from server.chat.prompt import tokenize_prompt
from server.chat.template.loading import load_chat_template, load_tool_format
from server.chat.template.template import CHATML
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
    assert load_chat_template("{{ messages }}", vocab).source == "{{ messages }}"
    assert warnings(caplog) == []


def test_model_without_one_gets_chatml_and_a_warning(vocab: Vocab, caplog: pytest.LogCaptureFixture) -> None:
    assert load_chat_template(None, vocab).source == CHATML
    assert warnings(caplog) == ["The model has no chat template: ChatML is used for chats"]


def test_template_that_cannot_be_read_gives_way_to_chatml(vocab: Vocab, caplog: pytest.LogCaptureFixture) -> None:
    assert load_chat_template(BROKEN, vocab).source == CHATML
    [said] = warnings(caplog)
    assert said.startswith("The model's chat template cannot be read: line 1: Expected an expression")
    assert said.endswith("; ChatML is used for chats")


def test_chatml(vocab: Vocab) -> None:
    assert load_chat_template(None, vocab).render([user("Hi"), assistant("Yes?"), user("Bye")]) == (
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYes?<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_template_knows_the_texts_of_the_special_tokens(vocab: Vocab) -> None:
    template = load_chat_template("{{ bos_token }}{{ messages[0].content }}{{ eos_token }}", vocab)
    assert template.render([user("Hi")]) == "<|endoftext|>Hi<|endoftext|>"


def test_special_tokens_of_a_prompt_are_tokens(vocab: Vocab) -> None:
    text = load_chat_template(None, vocab).render([user("Hi")])
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
    tool_format = load_tool_format(load_chat_template(TAGGED_TOOLS, vocab), vocab)
    assert (
        tool_format
        and tool_format.write([("add", "{}", "")]) == '<tool_call>{"name": "add", "arguments": {}}</tool_call>'
    )


@pytest.mark.parametrize("source", [ROLES_ONLY, HEADERS_AND_DATE])
def test_calls_are_not_known_from_a_template_without_tools(source: str, vocab: Vocab) -> None:
    assert load_tool_format(load_chat_template(source, vocab), vocab) is None
