"""The tags between which a model writes what it thinks before it answers."""

from dataclasses import dataclass

_TAGS = (("<think>", "</think>"), ("[THINK]", "[/THINK]"))


@dataclass(frozen=True, slots=True)
class ReasoningTags:
    """How a model marks its thoughts."""

    start: str
    end: str
    is_open: bool
    """Whether the prompt already ends inside the thoughts, so that the model writes only the end tag."""


def detect_reasoning_tags(template_source: str, prompt: str) -> ReasoningTags | None:
    """Returns how a model marks its thoughts after `prompt`; None if it has none to write.

    A template that mentions an end tag belongs to a model that thinks. A prompt that ends with the end tag has closed
    the thoughts before the model could write any.
    """
    text = prompt.rstrip()
    for start, end in _TAGS:
        if end in template_source:
            return None if text.endswith(end) else ReasoningTags(start, end, is_open=text.endswith(start))
    return None
