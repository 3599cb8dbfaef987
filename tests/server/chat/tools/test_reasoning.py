"""Which tags a model puts around its reasoning, and whether the prompt ends with the start tag."""

import pytest

from server.chat.tools.reasoning import ReasoningTags, find_known_markers, tags_after


def detect_reasoning_tags(template: str, prompt: str) -> ReasoningTags | None:
    return tags_after(find_known_markers(template), prompt)


TEMPLATE = "{% if content %}{{ content.split('</think>')[-1] }}{% endif %}"


def test_a_template_that_mentions_the_end_tag_thinks() -> None:
    assert detect_reasoning_tags(TEMPLATE, "<|im_start|>assistant\n") == ReasoningTags(
        "<think>", "</think>", is_open=False
    )


@pytest.mark.parametrize(
    "prompt", ["assistant\n<think>", "assistant\n<think>\n", "<think> </think>\nassistant <think>\n\n"]
)
def test_a_prompt_may_end_inside_the_thoughts(prompt: str) -> None:
    assert detect_reasoning_tags(TEMPLATE, prompt) == ReasoningTags("<think>", "</think>", is_open=True)


def test_a_prompt_that_closes_the_thoughts_leaves_none_to_write() -> None:
    assert detect_reasoning_tags(TEMPLATE, "assistant\n<think>\n\n</think>\n\n") is None


def test_a_template_without_an_end_tag_does_not_think() -> None:
    assert detect_reasoning_tags("{{ messages }} <think>", "<think>") is None


def test_tags_in_brackets_are_known_too() -> None:
    assert detect_reasoning_tags("[THINK]{{ x }}[/THINK]", "[/INST]") == ReasoningTags(
        "[THINK]", "[/THINK]", is_open=False
    )
