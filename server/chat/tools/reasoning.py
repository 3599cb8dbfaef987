"""ReasoningTags: the tags around the reasoning that a model writes before its answer."""

from dataclasses import dataclass

_TAGS = (("<think>", "</think>"), ("[THINK]", "[/THINK]"))


@dataclass(frozen=True, slots=True)
class ReasoningTags:
    start: str
    end: str
    is_open: bool
    """Whether the prompt ends with the start tag, so that the model writes only the end tag."""


def detect_reasoning_tags(template_source: str, prompt: str) -> ReasoningTags | None:
    """Returns the tags that the model uses after `prompt`, or None.

    A template with an end tag belongs to a reasoning model. A prompt that ends with the end tag leaves no room for
    reasoning.
    """
    text = prompt.rstrip()
    for start, end in _TAGS:
        if end in template_source:
            return None if text.endswith(end) else ReasoningTags(start, end, is_open=text.endswith(start))
    return None
