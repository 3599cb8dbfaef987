from typing import Any

import pytest

from server.chat.prompt import ChatPrompt, render_prompt
from server.chat.tools.call_format import GENERIC_FORMAT, Placeholder, ToolFormat
from server.chat.tools.reasoning import ReasoningTags
from tests.server.chat.chat_messages import TOOL, assistant, assistant_calls, template, user
from tests.server.chat.templates import ALL, BRACKETS, NO_SYSTEM, ROLES_ONLY, TAGGED_TOOLS, THINKING, TYPED_PARTS

EMPTY_THOUGHTS_IN_ANSWERS = """\
{%- for m in messages %}
    {{- '<' + m.role + '>' + ('<think>\\n\\n</think>\\n\\n' if m.role == 'assistant' else '') + m.content + '<end>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<assistant>' }}{% endif %}
"""
NO_ANSWER_LAST = """\
{%- for m in messages %}
    {%- if loop.last and m.role == 'assistant' %}{{ raise_exception('a question has to be last') }}{% endif %}
    {{- m.role + ': ' + m.content + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ 'assistant:' }}{% endif %}
"""


def prompt(source: str, *messages: dict[str, object], **more: Any) -> ChatPrompt:
    return render_prompt(template(source), messages, **more)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (ROLES_ONLY, "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nOnce "),
        (NO_SYSTEM, "<s><turn>user\nHi</turn>\n<turn>model\nOnce "),
        (BRACKETS, "<s>[INST] Hi [/INST] Once "),
        (TYPED_PARTS, "USER: Hi\nASSISTANT: Once "),
        (NO_ANSWER_LAST, "user: Hi\nassistant:Once "),
    ],
)
def test_answer_that_has_begun_goes_on(source: str, text: str) -> None:
    assert prompt(source, user("Hi"), assistant("Once ")).text == text


def test_answer_that_has_begun_is_not_stripped() -> None:
    assert prompt(NO_SYSTEM, user("Hi"), assistant("\n  Once\n\n")).text.endswith("<turn>model\n\n  Once\n\n")


@pytest.mark.parametrize("source", ALL.values(), ids=ALL)
def test_no_template_closes_the_turn_of_an_answer_that_has_begun(source: str) -> None:
    assert prompt(source, user("Hi"), assistant("Once upon a")).text.endswith("Once upon a")


def test_part_of_an_answer_that_goes_on_can_be_named() -> None:
    answer = assistant("Once ") | {"reasoning_content": "A story?"}
    whole = prompt(THINKING, user("Hi"), answer)
    assert prompt(THINKING, user("Hi"), answer, continued="content") == whole
    thoughts = prompt(THINKING, user("Hi"), answer, continued="reasoning_content")
    assert thoughts.text.endswith("A story?")
    assert thoughts.reasoning_tags
    assert thoughts.reasoning_tags.is_open
    closed = prompt(THINKING, user("Hi"), answer | {"content": ""}, continued="content")
    assert whole.text == closed.text + "Once "
    assert closed.reasoning_tags
    assert not closed.reasoning_tags.is_open


def test_thinking_is_on_unless_something_says_no() -> None:
    source = "{{ 'thinks' if enable_thinking is defined and enable_thinking else 'answers' }}"
    assert prompt(source, user("Hi")).text == "thinks"
    assert prompt(source, user("Hi"), template_kwargs={"enable_thinking": False}).text == "answers"


def test_answer_that_has_begun_with_nothing_is_an_open_turn() -> None:
    assert prompt(ROLES_ONLY, user("Hi"), assistant("")).text.endswith("<|im_start|>assistant\n")


def test_answer_may_come_first() -> None:
    assert prompt(ROLES_ONLY, assistant("Once")).text == "<|im_start|>assistant\nOnce"


def test_calls_at_the_end_are_a_turn_that_is_over() -> None:
    text = prompt(ROLES_ONLY, user("Hi"), assistant_calls(("1", "add", "{}"))).text
    assert text.endswith("</tool_call><|im_end|>\n<|im_start|>assistant\n")


def test_without_a_generation_prompt_the_last_answer_is_over() -> None:
    text = prompt(ROLES_ONLY, user("Hi"), assistant("Once"), add_generation_prompt=False).text
    assert text.endswith("Once<|im_end|>\n")


def test_prompt_says_how_the_model_thinks() -> None:
    assert prompt(THINKING, user("Hi")) == ChatPrompt(
        "<|user|>Hi<|end|><|assistant|><think>\n", ReasoningTags("<think>", "</think>", is_open=True)
    )
    assert prompt(ROLES_ONLY, user("Hi")).reasoning_tags is None


def test_variable_that_turns_thoughts_off() -> None:
    asked = prompt(THINKING, user("Hi"), template_kwargs={"enable_thinking": False})
    assert asked == ChatPrompt("<|user|>Hi<|end|><|assistant|><think></think>", None)


def test_answer_that_has_begun_comes_behind_no_open_thoughts() -> None:
    asked = prompt(THINKING, user("Hi"), assistant("Once"))
    assert asked.text == "<|user|>Hi<|end|><|assistant|>Once"
    assert asked.reasoning_tags and not asked.reasoning_tags.is_open


@pytest.mark.parametrize(
    ("begun", "text", "is_open"),
    [
        (assistant("", reasoning_content="Hm"), "<think>\nHm", True),
        (assistant("<think>Hm"), "<think>\nHm", True),
        (assistant("Once", reasoning_content="Hm"), "<think>\nHm\n</think>\n\nOnce", False),
        (assistant("<think>\nHm</think>Once"), "<think>\nHm</think>Once", False),
    ],
)
def test_thoughts_that_have_begun_go_on(begun: dict[str, object], text: str, is_open: bool) -> None:
    asked = prompt(THINKING, user("Hi"), begun)
    assert asked.text == "<|user|>Hi<|end|><|assistant|>" + text
    assert asked.reasoning_tags and asked.reasoning_tags.is_open is is_open


def test_thoughts_that_have_begun_take_the_place_of_empty_ones() -> None:
    assert prompt(EMPTY_THOUGHTS_IN_ANSWERS, user("Hi"), assistant("", reasoning_content="Hm")).text == (
        "<user>Hi<end><assistant><think>\nHm"
    )
    assert prompt(EMPTY_THOUGHTS_IN_ANSWERS, user("Hi"), assistant("Once")).text == (
        "<user>Hi<end><assistant><think>\n\n</think>\n\nOnce"
    )


def test_thoughts_of_earlier_answers_stay_out_where_the_template_strips_them() -> None:
    chat = (user("Hi"), assistant("<think>Hm</think>Yes?"), user("Bye"))
    assert prompt(THINKING, *chat).text.startswith("<|user|>Hi<|end|><|assistant|>Yes?<|end|><|user|>Bye")


def test_tools_go_through_a_template_whose_calls_are_understood() -> None:
    own = ToolFormat(call=("<tool_call>", Placeholder.NAME, Placeholder.ARGUMENTS, "</tool_call>"))
    asked = prompt(TAGGED_TOOLS, user("Hi"), tools=[TOOL], tool_format=own)
    assert asked.text.startswith('<|im_start|>system\nTools:\n{"type": "function", "function": {"name": "add"')
    assert asked.tool_format == own


@pytest.mark.parametrize("source", [ROLES_ONLY, NO_SYSTEM, TAGGED_TOOLS])
def test_tools_are_put_in_words_otherwise(source: str) -> None:
    asked = prompt(source, user("Hi"), tools=[TOOL])
    assert '{"name":"add"' in asked.text
    assert "Tools:\n" not in asked.text
    assert asked.tool_format == GENERIC_FORMAT


def test_calls_at_the_end_are_a_turn_that_is_over_in_words_too() -> None:
    text = prompt(ROLES_ONLY, user("Hi"), assistant_calls(("1", "add", "{}")), tools=[TOOL]).text
    assert text.endswith("</tool_call><|im_end|>\n<|im_start|>assistant\n")


def test_without_tools_there_is_no_way_to_call_them() -> None:
    assert prompt(TAGGED_TOOLS, user("Hi"), tools=[], tool_format=GENERIC_FORMAT).tool_format is None


@pytest.mark.parametrize("is_on", [True, False])
def test_thoughts_that_a_template_always_opens_are_ended_if_they_are_off(is_on: bool) -> None:
    source = "{{ messages[0].content }}{% if add_generation_prompt %}<think>\n{% endif %}{{ '</think>' if false }}"
    rendered = prompt(source, user("Hi"), template_kwargs={"enable_thinking": is_on})
    assert rendered.text == ("Hi<think>\n" if is_on else "Hi<think>\n</think>")
    assert (rendered.reasoning_tags is not None) == is_on
