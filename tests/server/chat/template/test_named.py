"""Templates by name write what llama.cpp's own formatter writes, which is the oracle here."""

import ctypes

import llama_cpp.llama_cpp as lib
import pytest

from server.chat.template.jinja_environment import MAX_STEPS, ChatEnvironment, render_within_bounds
from server.chat.template.named import NAMED_TEMPLATES
from tests.server.chat.chat_messages import assistant, system, user

CHATS = {
    "a question": [user("What is it? ")],
    "a system message": [system(" Be brief.\n"), user("Hi")],
    "a conversation": [system("Be brief."), user("Hi"), assistant(" Hello. "), user("\nGo on."), assistant("No.")],
    "without a system message": [user("Hi"), assistant("Hello.\n"), user("Go on."), assistant("No."), user("Why?")],
}


def llama_cpp_text(name: str, messages: list[dict[str, object]], *, opens_answer: bool) -> str:
    chat = (lib.llama_chat_message * len(messages))()
    for item, message in zip(chat, messages, strict=True):
        item.role, item.content = (str(message[key]).encode() for key in ("role", "content"))
    buffer = ctypes.create_string_buffer(4096)
    n = lib.llama_chat_apply_template(name.encode(), chat, len(messages), opens_answer, buffer, len(buffer))
    assert 0 <= n <= len(buffer)
    return buffer.raw[:n].decode()


def llama_cpp_names() -> set[str]:
    names = (ctypes.c_char_p * 200)()
    n = lib.llama_chat_builtin_templates(names, len(names))
    return {name.decode() for name in names[:n] if name}


def test_every_name_of_llama_cpp_is_known() -> None:
    assert set(NAMED_TEMPLATES) == llama_cpp_names()


@pytest.mark.parametrize("name", NAMED_TEMPLATES)
@pytest.mark.parametrize("messages", CHATS.values(), ids=CHATS)
def test_a_name_stands_for_what_llama_cpp_writes(name: str, messages: list[dict[str, object]]) -> None:
    template = ChatEnvironment().parse_chat_template(NAMED_TEMPLATES[name])
    for opens_answer in (True, False):
        variables = {"messages": messages, "add_generation_prompt": opens_answer}
        text = render_within_bounds(template, variables, MAX_STEPS)
        assert text == llama_cpp_text(name, messages, opens_answer=opens_answer)
