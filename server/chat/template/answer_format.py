"""Infers from a chat template what a model writes around its reasoning and its answers: probes are rendered, and the
text around their words is what the model has to write."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from server.chat.messages import Json, Message
from server.chat.template.probes import ANSWER, CALLS, CONTENT, THOUGHT, USER, call_message
from server.chat.tools.reasoning import ContentTags, ReasoningMarkers, find_known_markers

RenderText = Callable[[Sequence[Message], bool], str]
"""Returns the text of messages, with or without a generation prompt; a failure is ""."""

_REASONING_MEMBERS = ("reasoning_content", "reasoning", "thinking", "thought")
_TAG = re.compile(r"<[^<>\s]+>|\[[A-Z_/ ]+\]")
_MIRRORED = re.compile(rf"(<([^<>/\s]+)>)\s*{THOUGHT}\s*(</\2>)")
_HEADER = re.compile(r"\w+\n")
"""What is before an answer after a prompt that ends with a sign such as >>>."""
_FURTHER_CONTENT = {"<|channel|>final<|message|>": ("<|channel|>commentary<|message|>",)}
"""By the start of an answer: that of text before calls, which templates do not write."""


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    reasoning: ReasoningMarkers | None
    content: tuple[ContentTags, ...]
    """What the text of an answer may be between; nothing for most models."""

    def without_empty_parts(self, turn: str) -> str:
        """Returns a turn without the tags that a template writes around no reasoning and no text."""
        if self.reasoning:
            start, end = map(re.escape, (self.reasoning.start, self.reasoning.end))
            turn = re.sub(rf"\s*({start})?\s*{end}\s*", "", turn, count=1) if _begins(turn, self.reasoning) else turn
        for tags in self.content:
            if tags.end and turn.lstrip().startswith((tags.start + tags.end, tags.end)):
                turn = turn.lstrip().removeprefix(tags.start).removeprefix(tags.end)
        return turn


def infer_answer_format(source: str, render: RenderText) -> AnswerFormat:
    """For a worker thread. `source` is the template's."""
    prompt = render([USER], True).rstrip()
    thoughts: Json = dict.fromkeys(_REASONING_MEMBERS, THOUGHT)
    answer: Message = ANSWER | {"content": CONTENT}
    plain = render([USER, answer], False)
    reasoned = render([USER, answer | thoughts], False)
    called = render([USER, call_message(CALLS[:1]) | thoughts], False)
    markers = find_known_markers(source + reasoned + called) or _infer_markers(prompt, plain, reasoned)
    return AnswerFormat(markers, _infer_content(prompt, plain, markers))


def _infer_markers(prompt: str, plain: str, reasoned: str) -> ReasoningMarkers | None:
    if mirrored := _MIRRORED.search(reasoned):
        return ReasoningMarkers(mirrored[1], mirrored[3])
    before, found, rest = reasoned.partition(THOUGHT)
    between, has_content, _ = rest.partition(CONTENT)
    if not (found and has_content and before.startswith(prompt)):
        return None
    start = before.removeprefix(prompt).strip()
    content_start = _text_before_content(prompt, plain)
    end = between.strip() if between.strip() == content_start else between.strip().removesuffix(content_start).strip()
    return ReasoningMarkers(start, end, is_in_every_prompt=prompt.endswith(end)) if start and end else None


def _infer_content(prompt: str, plain: str, markers: ReasoningMarkers | None) -> tuple[ContentTags, ...]:
    bare = prompt.removesuffix(markers.start).rstrip() if markers else prompt
    start = AnswerFormat(markers, ()).without_empty_parts(_text_before_content(bare, plain, is_stripped=False))
    is_header = _HEADER.fullmatch(start) is not None
    start = start if is_header else start.strip()
    if (not _TAG.search(start) and not is_header) or (markers and start == markers.start):
        return ()
    end = _content_end(start, plain.partition(CONTENT)[2])
    if not end and markers and _has_header(markers.end, prompt):
        end = markers.end
    if is_header:
        sign = re.search(r"[^\w\s]+$", prompt)
        end = sign[0] if sign else ""
    return tuple(ContentTags(text, end) for text in (start, *_FURTHER_CONTENT.get(start, ())))


def _has_header(end: str, prompt: str) -> bool:
    """Whether the end of the reasoning goes on with the beginning of another message, as the prompt has it."""
    tag = _TAG.match(end)
    header = end[tag.end() :] if tag else ""
    return bool(header) and prompt.endswith(header)


def _content_end(start: str, after: str) -> str:
    """Returns as many tags after an answer as are before it, if further ones, which end the turn, follow."""
    n_tags = len(_TAG.findall(start))
    tags = list(_TAG.finditer(after))
    return after[: tags[n_tags - 1].end()].strip() if 0 < n_tags < len(tags) else ""


def _text_before_content(prompt: str, plain: str, *, is_stripped: bool = True) -> str:
    before, found, _ = plain.partition(CONTENT)
    if not found or not before.startswith(prompt):
        return ""
    text = before.removeprefix(prompt)
    return text.strip() if is_stripped else text


def _begins(turn: str, markers: ReasoningMarkers) -> bool:
    """Whether a turn begins with reasoning, or with its end."""
    return turn.lstrip().startswith((markers.start, markers.end))
