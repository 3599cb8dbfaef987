"""What models write around their reasoning, which comes before the answer, and some of them around the answer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReasoningMarkers:
    """What begins and ends the reasoning, as a template writes it."""

    start: str
    end: str
    is_in_every_prompt: bool = False
    """Whether each prompt ends with the end, since it holds the beginning of another message."""


@dataclass(frozen=True, slots=True)
class ReasoningTags:
    start: str
    end: str
    is_open: bool
    """Whether the prompt ends with the start tag, so that the model writes only the end tag."""


@dataclass(frozen=True, slots=True)
class ContentTags:
    """What some models write around the text of an answer."""

    start: str
    end: str = ""
    """After it, something else may follow. Empty if only the end of the turn ends the text."""


KNOWN_MARKERS = (
    ReasoningMarkers("<think>", "</think>"),
    ReasoningMarkers("[THINK]", "[/THINK]"),
    ReasoningMarkers("<seed:think>", "</seed:think>"),
    ReasoningMarkers("<mm:think>", "</mm:think>"),
    ReasoningMarkers("<|START_THINKING|>", "<|END_THINKING|>"),
    ReasoningMarkers("<|channel>thought", "<channel|>"),
    ReasoningMarkers("<|inner_prefix|>", "<|inner_suffix|>"),
    ReasoningMarkers("<|open|>think<|sep|>", "<|close|>think<|sep|>"),
    ReasoningMarkers("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"),
)
"""Of models whose templates may not write reasoning."""


def find_known_markers(text: str) -> ReasoningMarkers | None:
    """Returns the markers of which the end is in a template or in what it writes: that of a reasoning model."""
    return next((markers for markers in KNOWN_MARKERS if markers.end in text), None)


def tags_after(markers: ReasoningMarkers | None, prompt: str) -> ReasoningTags | None:
    """Returns the tags that the model uses after `prompt`, or None. A prompt that ends with the end tag leaves no room
    for reasoning."""
    text = prompt.rstrip()
    if markers is None or (text.endswith(markers.end) and not markers.is_in_every_prompt):
        return None
    return ReasoningTags(markers.start, markers.end, is_open=text.endswith(markers.start))
