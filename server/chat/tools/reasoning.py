"""The tags between which a model writes what it thinks before it answers."""

from dataclasses import dataclass

_TAGS = (("<think>", "</think>"), ("[THINK]", "[/THINK]"))


@dataclass(frozen=True, slots=True)
class Thinking:
    """How a model marks its thoughts."""

    start: str
    end: str
    is_open: bool
    """Whether the prompt already ends inside the thoughts, so that the model writes only the end tag."""


def find_thinking(template_source: str, prompt: str) -> Thinking | None:
    """Returns how a model marks its thoughts after `prompt`; None if it has none to write.

    A template that mentions an end tag belongs to a model that thinks. A prompt that ends with the end tag has closed
    the thoughts before the model could write any.
    """
    written = prompt.rstrip()
    for start, end in _TAGS:
        if end in template_source:
            return None if written.endswith(end) else Thinking(start, end, is_open=written.endswith(start))
    return None
