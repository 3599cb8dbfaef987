"""What a model writes around its reasoning and its answers is found in its template."""

import pytest

from server.chat.template.template import ChatTemplate
from server.chat.tools.reasoning import ContentTags, ReasoningMarkers

TURN = "{% for m in messages %}<|start|>{{ m.role }}ANSWER<|eot|>{% endfor %}"
TURN += "{% if add_generation_prompt %}PROMPT{% endif %}"
TEXT = "{{ m.content }}"


def turns(answer: str, prompt: str = "<|start|>assistant") -> ChatTemplate:
    """A template with the text of an assistant's message; that of the others is their content."""
    assistant = "{% if m.role == 'assistant' %}" + answer + "{% else %}" + TEXT + "{% endif %}"
    return ChatTemplate(TURN.replace("ANSWER", assistant).replace("PROMPT", prompt), "", "")


THOUGHTS = "{% if m.reasoning_content %}START{{ m.reasoning_content }}END{% endif %}"
CHANNELS = turns(
    THOUGHTS.replace("START", "<|channel|>analysis<|message|>").replace("END", "<|end|><|start|>assistant")
    + "<|channel|>final<|message|>"
    + TEXT
)
OPENED = turns(
    "<|open|>think<|sep|>{{ m.reasoning_content }}<|close|>think<|sep|>"
    "<|open|>response<|sep|>{{ m.content }}<|close|>response<|sep|><|close|>message<|sep|>",
    "<|start|>assistant<|open|>think<|sep|>",
)


def test_an_answer_of_most_models_has_nothing_around_it() -> None:
    found = turns(TEXT).answer_format
    assert found.reasoning is None
    assert found.content == ()


@pytest.mark.parametrize("tags", [("<ns:think>", "</ns:think>"), ("<deep>\n", "\n</deep>\n\n")])
def test_tags_that_nobody_has_heard_of_are_found_around_the_reasoning(tags: tuple[str, str]) -> None:
    start, end = tags
    template = turns(THOUGHTS.replace("START", start).replace("END", end) + TEXT)
    assert template.answer_format.reasoning == ReasoningMarkers(start.strip(), end.strip())
    assert template.answer_format.content == ()


def test_empty_thoughts_of_an_earlier_answer_are_not_around_its_text() -> None:
    template = turns("<think>\n\n</think>\n\n" + TEXT)
    assert template.answer_format.reasoning == ReasoningMarkers("<think>", "</think>")
    assert template.answer_format.content == ()


def test_reasoning_in_a_channel_ends_where_another_message_begins() -> None:
    found = CHANNELS.answer_format
    end = "<|end|><|start|>assistant"
    assert found.reasoning == ReasoningMarkers("<|channel|>analysis<|message|>", end)
    assert found.content == (
        ContentTags("<|channel|>final<|message|>", end),
        ContentTags("<|channel|>commentary<|message|>", end),
    )


def test_an_answer_may_have_an_end_of_its_own() -> None:
    found = OPENED.answer_format
    assert found.reasoning == ReasoningMarkers("<|open|>think<|sep|>", "<|close|>think<|sep|>")
    assert found.content == (ContentTags("<|open|>response<|sep|>", "<|close|>response<|sep|>"),)


def test_the_default_system_prompt_of_a_template_is_found() -> None:
    source = "{{ '[SYS]' + (messages[0].content if messages[0].role == 'system' else 'Be kind.') + '[/SYS]' }}"
    assert ChatTemplate(source, "", "").default_system_prompt({}) == "Be kind."
    assert turns(TEXT).default_system_prompt({}) == ""
