"""How many tokens of a chat's prompt come from the system prompt."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.chat.request import ChatFields
from server.chat.system_prefix import n_system_tokens
from server.chat.tools.call_format import GENERIC_FORMAT
from server.generation.chat import with_system_prompt
from slots.llama import Vocab
from tests.server.chat.chat_messages import TOOL, assistant, template, user
from tests.server.chat.templates import ALL, ROLES_ONLY, TAGGED_TOOLS

SYSTEM = "add up what the user says"
KNOWN = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n"
TOOLS_FIRST = """\
{{- tools[0].function.name if tools else '' }}
{%- for message in messages %}{{ message.content + '\\n' }}{% endfor %}
"""
DOCUMENTS_FIRST = TOOLS_FIRST.replace("tools[0].function.name if tools", "documents[0].title if documents")
NO_SHORT_CHATS = """\
{%- if messages | length < 3 %}{{ raise_exception('expected a longer chat') }}{% endif %}
{%- for message in messages %}{{ message.content + '\\n' }}{% endfor %}
"""


class Letters:
    """A vocabulary in which each `n_letters` letters are a token; a text begins with BOS."""

    add_bos, bos = True, -1

    def __init__(self, n_letters: int = 1) -> None:
        self._n_letters = n_letters

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        starts = range(0, len(text), self._n_letters)
        return [hash(text[start : start + self._n_letters]) for start in starts]


def common_prefix(source: str, *messages: dict[str, object], n_letters: int = 1, **fields: Any) -> str:
    """Returns the part of a chat's prompt that comes from the system prompt."""
    chat = with_system_prompt(ChatFields.parse({"messages": list(messages), **fields}).chat({}), SYSTEM)
    chat_template, letters = template(source), Letters(n_letters)
    text = chat.prompt(chat_template, GENERIC_FORMAT).text
    tokens = (letters.bos, *letters.tokenize(text, add_special=False, parse_special=True))
    n_tokens = n_system_tokens(chat, tokens, chat_template, {}, cast(Vocab, letters))
    return text[: max(n_tokens - 1, 0) * n_letters]


@pytest.mark.parametrize("source", ALL.values(), ids=ALL)
def test_it_is_the_same_whatever_is_said(source: str) -> None:
    found = {common_prefix(source, user(said)) for said in ("a", "a tale", "Something else.", "Some", "b")}
    assert len(found) == 1
    assert SYSTEM in found.pop()


@given(st.text())
def test_it_ends_where_the_user_begins_to_speak(said: str) -> None:
    assert common_prefix(ROLES_ONLY, user(said), assistant("Yes"), user(said)) == KNOWN


def test_it_ends_where_another_begins_to_speak() -> None:
    assert common_prefix(ROLES_ONLY, assistant("Hello"), user("a")) == KNOWN.removesuffix("user\n")


def test_a_token_that_has_something_of_the_user_is_not_known() -> None:
    assert len(KNOWN) % 7 != 0
    assert common_prefix(ROLES_ONLY, user("Hello"), n_letters=7) == KNOWN[: len(KNOWN) // 7 * 7]


def test_tools_behind_it_change_nothing_before_them() -> None:
    offered = TAGGED_TOOLS.replace("{%- if tools %}", "{%- if false %}") + "{{ tools | tojson }}"
    assert common_prefix(offered, user("a"), tools=[TOOL]) == KNOWN


def test_tools_in_front_of_it_are_not_known() -> None:
    assert common_prefix(TAGGED_TOOLS, user("a"), tools=[TOOL]) == "<|im_start|>system\n"


def test_tools_that_begin_as_it_does_are_not_known() -> None:
    assert SYSTEM.startswith(TOOL["function"]["name"])
    assert common_prefix(TOOLS_FIRST, user("a"), tools=[TOOL]) == ""


def test_documents_that_begin_as_it_does_are_not_known() -> None:
    assert common_prefix(DOCUMENTS_FIRST, user("a"), documents=[{"title": "add up", "text": ""}]) == ""
    assert common_prefix(DOCUMENTS_FIRST, user("a")) == SYSTEM + "\n"


def test_a_variable_of_the_request_is_not_known() -> None:
    source = "{{ mood }}" + ROLES_ONLY
    assert common_prefix(source, user("a"), chat_template_kwargs={"mood": "sad"}) == ""
    assert common_prefix(source, user("a")) == KNOWN


def test_nothing_is_known_of_a_template_that_refuses_to_tell() -> None:
    assert common_prefix(NO_SHORT_CHATS, user("a"), assistant("Hello"), user("b")) == ""
