"""Renders a chat to the prompt that the model continues."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from server.chat.control_text import ControlText
from server.chat.messages import Json, Message
from server.chat.tools.call_format import GENERIC_FORMAT, ToolFormat
from server.chat.tools.generic_format import describe_tools_in_prompt
from server.chat.tools.reasoning import ReasoningTags, detect_reasoning_tags
from server.http.fields import naming_field
from slots.errors import InvalidRequest
from slots.llama import Vocab

if TYPE_CHECKING:
    from server.chat.template.template import ChatTemplate

ANSWER_PLACEHOLDER = "here-goes-what-the-answer-begins-with"
"""Rendered in place of an answer's beginning, which a template might strip."""

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


def render_prompt(
    template: "ChatTemplate",
    messages: Sequence[Message],
    *,
    tools: Sequence[Json] | None = None,
    tool_format: ToolFormat | None = None,
    documents: Sequence[Json] | None = None,
    add_generation_prompt: bool = True,
    template_kwargs: Mapping[str, object] | None = None,
) -> ChatPrompt:
    """Returns the prompt of a chat. An assistant message at the end, without calls, is a prefill: the prompt ends with
    it and leaves the turn open. Without `add_generation_prompt` it is a message like any other.

    `tool_format` is how the model writes calls by itself. If that is unknown, the tools are described in the prompt,
    with the generic format.

    For a worker thread. Raises InvalidRequest for messages that the template refuses.
    """
    is_prefilled = add_generation_prompt and _is_assistant_prefill(messages[-1])
    call_format = (tool_format or GENERIC_FORMAT) if tools else None
    if tools and tool_format is None:
        messages, tools = describe_tools_in_prompt(messages, tools), None

    def render(some: Sequence[Message], opens_answer: bool) -> str:
        return template.render(
            some,
            tools=tools,
            documents=documents,
            add_generation_prompt=opens_answer,
            template_kwargs=template_kwargs,
        )

    if is_prefilled:
        text, reasoning_tags = _render_prefilled(template.source, messages, render)
    else:
        text = render(messages, add_generation_prompt)
        reasoning_tags = detect_reasoning_tags(template.source, text)
    return ChatPrompt(text, reasoning_tags, call_format)


def tokenize_prompt(text: str, vocab: Vocab, controls: ControlText | None = None) -> tuple[int, ...]:
    """Returns the tokens of a chat's prompt, including special tokens, but for those that `controls` has marked. BOS
    comes first if the vocabulary wants it, whether or not the template writes it. Raises InvalidRequest for a text that
    cannot be tokenized."""
    with naming_field("messages"):
        tokens = (controls or ControlText((), vocab)).tokenize(text)
    if vocab.add_bos and vocab.bos is not None and tokens[:1] != [vocab.bos]:
        tokens = [vocab.bos, *tokens]
    if not tokens:
        raise InvalidRequest(
            "messages", "expected at least one token, but the chat template makes an empty text of them"
        )
    return tuple(tokens)


def _is_assistant_prefill(message: Message) -> bool:
    return message["role"] == "assistant" and not message.get("tool_calls")


def _render_prefilled(source: str, messages: Sequence[Message], render: Render) -> tuple[str, ReasoningTags | None]:
    """Writes the last message verbatim where the template would put an answer, or after the generation prompt if it
    begins with reasoning."""
    *earlier, last = messages
    prompt = render(earlier, True) if earlier else ""
    tags = detect_reasoning_tags(source, prompt)
    answer = str(last["content"] or "")
    if tags and (reasoning := last.get("reasoning_content")):
        answer = f"{tags.start}\n{reasoning}" + (f"\n{tags.end}\n\n{answer}" if answer else "")
    if tags and answer.lstrip().startswith(tags.start):
        rest = answer.lstrip().removeprefix(tags.start).lstrip("\n") if tags.is_open else answer
        return prompt + rest, replace(tags, is_open=tags.end not in answer)
    text = _text_before_answer(messages, render, prompt) + answer
    return text, detect_reasoning_tags(source, text)


def _text_before_answer(messages: Sequence[Message], render: Render, prompt: str) -> str:
    """Returns the text before the last message's content, which may differ from the generation prompt."""
    placeholder: Message = {"role": "assistant", "content": ANSWER_PLACEHOLDER}
    try:
        before, found, _ = render([*messages[:-1], placeholder], False).rpartition(ANSWER_PLACEHOLDER)
    except InvalidRequest:
        return prompt
    return before if found else prompt
