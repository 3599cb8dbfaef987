"""Renders a chat to the prompt that the model continues."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from server.chat.control_text import ControlText
from server.chat.media_parts import TextParts
from server.chat.messages import Json, Message
from server.chat.tools.call_format import GENERIC_FORMAT, ToolFormat
from server.chat.tools.generic_format import describe_tools_in_prompt
from server.chat.tools.reasoning import ContentTags, ReasoningMarkers, ReasoningTags, tags_after
from server.http.fields import naming_field
from slots.errors import InvalidRequest
from slots.llama import Vocab
from slots.multimodal.media import Media

if TYPE_CHECKING:
    from server.chat.template.template import ChatTemplate

ANSWER_PLACEHOLDER = "here-goes-what-the-answer-begins-with"
"""Rendered in place of an answer's beginning, which a template might strip."""

ContinuedPart = Literal["any", "content", "reasoning_content"]
"""What of an answer goes on: its content, its reasoning, or ("any") the reasoning if it has no content yet."""

Render = Callable[[Sequence[Message], bool], str]
"""Renders messages, with or without a generation prompt."""


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    text: str
    """Including BOS, if the template writes it."""
    reasoning_tags: ReasoningTags | None
    """None if the model does not write reasoning."""
    tool_format: ToolFormat | None = None
    """The format of the model's tool calls; None without tools."""
    content_tags: tuple[ContentTags, ...] = ()
    """What the model writes around the text of an answer."""


def render_prompt(
    template: "ChatTemplate",
    messages: Sequence[Message],
    *,
    tools: Sequence[Json] | None = None,
    tool_format: ToolFormat | None = None,
    documents: Sequence[Json] | None = None,
    add_generation_prompt: bool = True,
    template_kwargs: Mapping[str, object] | None = None,
    continued: ContinuedPart | None = None,
) -> ChatPrompt:
    """Returns the prompt of a chat. An assistant message at the end, without calls, is a prefill: the prompt ends with
    it and leaves the turn open. Without `add_generation_prompt` it is a message like any other, unless `continued` says
    what of it goes on.

    `tool_format` is how the model writes calls by itself. If that is unknown, the tools are described in the prompt,
    with the generic format; if only the tools are missing in the template, with the model's.

    For a worker thread. Raises InvalidRequest for messages that the template refuses.
    """
    is_prefilled = continued is not None or (add_generation_prompt and is_answer_beginning(messages[-1]))
    if continued is None and is_prefilled and [message["role"] for message in messages[-2:]] == ["assistant"] * 2:
        raise InvalidRequest("messages", "expected no two of the assistant's at the end, since the last one goes on")
    call_format = (tool_format or GENERIC_FORMAT) if tools else None
    if tools and (tool_format is None or not template.capabilities.supports_tools):
        own_format = tool_format if template.capabilities.supports_tool_calls else None
        default = template.default_system_prompt(template_kwargs or {})
        messages, tools = describe_tools_in_prompt(messages, tools, own_format, default), None

    def render(some: Sequence[Message], opens_answer: bool) -> str:
        return template.render(
            some,
            tools=tools,
            documents=documents,
            add_generation_prompt=opens_answer,
            template_kwargs=template_kwargs,
        )

    answer_format = template.answer_format
    if is_prefilled:
        text, reasoning_tags = _render_prefilled(answer_format.reasoning, messages, render, continued or "any")
    else:
        text = render(messages, add_generation_prompt)
        reasoning_tags = tags_after(answer_format.reasoning, text)
        is_off = (template_kwargs or {}).get("enable_thinking") is False
        if is_off and reasoning_tags and reasoning_tags.is_open:
            # The template opens the thoughts whatever it is told, as llama.cpp's server knows.
            text, reasoning_tags = text + reasoning_tags.end, None
    return ChatPrompt(text, reasoning_tags, call_format, answer_format.content)


def tokenize_prompt(
    text: str | Sequence[str | Media], vocab: Vocab, controls: ControlText | None = None
) -> tuple[int, ...]:
    """Returns the tokens of a chat's prompt, a text or texts with media between them, including special tokens, but for
    those that `controls` has marked. BOS comes first if the vocabulary wants it, whether or not the template writes it.
    Raises InvalidRequest for a text that cannot be tokenized."""
    control_text = controls or ControlText((), vocab)
    pieces, tokens = [text] if isinstance(text, str) else text, list[int]()
    with naming_field("messages"):
        for piece in pieces:
            tokens += control_text.tokenize(piece) if isinstance(piece, str) else piece.tokens
    if vocab.add_bos and vocab.bos is not None and tokens[:1] != [vocab.bos]:
        tokens = [vocab.bos, *tokens]
    if not tokens:
        raise InvalidRequest(
            "messages", "expected at least one token, but the chat template makes an empty text of them"
        )
    return tuple(tokens)


def is_answer_beginning(message: Message) -> bool:
    """Whether the message is an answer that can go on."""
    return message["role"] == "assistant" and not message.get("tool_calls")


def _render_prefilled(
    markers: ReasoningMarkers | None, messages: Sequence[Message], render: Render, continued: ContinuedPart
) -> tuple[str, ReasoningTags | None]:
    """Writes the last message verbatim where the template would put an answer, or after the generation prompt if it
    begins with reasoning."""
    *earlier, last = messages
    prompt = render(earlier, True) if earlier else ""
    tags = tags_after(markers, prompt)
    answer = "" if continued == "reasoning_content" else _answer_text(last)
    if tags and (reasoning := last.get("reasoning_content")):
        is_closed = answer or continued == "content"
        answer = f"{tags.start}\n{reasoning}" + (f"\n{tags.end}\n\n{answer}" if is_closed else "")
    if tags and answer.lstrip().startswith(tags.start):
        rest = answer.lstrip().removeprefix(tags.start).lstrip("\n") if tags.is_open else answer
        return prompt + rest, replace(tags, is_open=tags.end not in answer)
    text = _text_before_answer(messages, render, prompt) + answer
    return text, tags_after(markers, text)


def _answer_text(message: Message) -> str:
    """Returns the beginning of an answer. Its parts have an empty line between them, as llama.cpp's server has it."""
    content = message["content"]
    return "\n\n".join(content.parts) if isinstance(content, TextParts) else str(content or "")


def _text_before_answer(messages: Sequence[Message], render: Render, prompt: str) -> str:
    """Returns the text before the last message's content, which may differ from the generation prompt."""
    placeholder: Message = {"role": "assistant", "content": ANSWER_PLACEHOLDER}
    try:
        before, found, _ = render([*messages[:-1], placeholder], False).rpartition(ANSWER_PLACEHOLDER)
    except InvalidRequest:
        return prompt
    return before if found else prompt
