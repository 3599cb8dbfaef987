"""From a chat to the prompt that the model goes on with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from server.chat.messages import Json, Message
from server.chat.template.template import ChatTemplate
from server.chat.tools.call_format import GENERIC, ToolFormat
from server.chat.tools.generic_format import with_tools_in_words
from server.chat.tools.reasoning import Thinking, find_thinking
from server.http.fields import naming_field
from slots.errors import InvalidRequest
from slots.llama import Vocab

MARK = "here-goes-what-the-answer-begins-with"
"""Stands for the beginning of an answer while its surroundings are rendered: a template may strip the real one."""

Render = Callable[[Sequence[Message], bool], str]


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    text: str
    """With what the template writes for BOS, if it does."""
    thinking: Thinking | None
    """How the model thinks aloud; None if it does not."""
    tool_format: ToolFormat | None = None
    """How the model is to write calls; None if it is offered no tools."""


def render_prompt(
    template: ChatTemplate,
    messages: Sequence[Message],
    *,
    tools: Sequence[Json] | None = None,
    tool_format: ToolFormat | None = None,
    documents: Sequence[Json] | None = None,
    add_generation_prompt: bool = True,
    more: Mapping[str, object] | None = None,
) -> ChatPrompt:
    """Returns the prompt of a chat. An assistant's message at the end, without calls, is the beginning of the answer:
    the text ends with it and leaves the turn open. Without `add_generation_prompt` it is a message like any other.

    Where there are tools, `tool_format` is how the model writes calls by itself; if that is not known, the tools and
    how to call them are put in words.

    Belongs to a worker thread. Raises InvalidRequest for messages that the template refuses.
    """
    is_begun = add_generation_prompt and _begins_answer(messages[-1])
    offered = (tool_format or GENERIC) if tools else None
    if tools and tool_format is None:
        messages, tools = with_tools_in_words(messages, tools), None

    def render(some: Sequence[Message], opens_answer: bool) -> str:
        return template.render(some, tools=tools, documents=documents, add_generation_prompt=opens_answer, more=more)

    if is_begun:
        text, thinking = _continued(template.source, messages, render)
    else:
        text = render(messages, add_generation_prompt)
        thinking = find_thinking(template.source, text)
    return ChatPrompt(text, thinking, offered)


def prompt_tokens(text: str, vocab: Vocab) -> tuple[int, ...]:
    """Returns the tokens of a chat's prompt, special tokens among them. BOS stands in front where the vocabulary asks
    for it, whether or not the template writes it. Raises InvalidRequest for a text that cannot be tokenized."""
    with naming_field("messages"):
        tokens = vocab.tokenize(text, add_special=False, parse_special=True)
    if vocab.add_bos and vocab.bos is not None and tokens[:1] != [vocab.bos]:
        tokens = [vocab.bos, *tokens]
    if not tokens:
        raise InvalidRequest(
            "messages", "expected at least one token, but the chat template makes an empty text of them"
        )
    return tuple(tokens)


def _begins_answer(message: Message) -> bool:
    return message["role"] == "assistant" and not message.get("tool_calls")


def _continued(source: str, messages: Sequence[Message], render: Render) -> tuple[str, Thinking | None]:
    """The answer's beginning stands as it is where the template would put an answer, or behind what it opens one with.
    Thoughts stand there with their tags; a tag that the template has opened already is not repeated."""
    *before, last = messages
    opened = render(before, True) if before else ""
    thinking = find_thinking(source, opened)
    said = str(last["content"] or "")
    if thinking and (thoughts := last.get("reasoning_content")):
        said = f"{thinking.start}\n{thoughts}" + (f"\n{thinking.end}\n\n{said}" if said else "")
    if thinking and said.lstrip().startswith(thinking.start):
        more = said.lstrip().removeprefix(thinking.start).lstrip("\n") if thinking.is_open else said
        return opened + more, replace(thinking, is_open=thinking.end not in said)
    head = _head(messages, render, opened)
    return head + said, find_thinking(source, head + said)


def _head(messages: Sequence[Message], render: Render, opened: str) -> str:
    """Returns the text in front of an answer that has been given, which can be another than in front of one to come."""
    marked: Message = {"role": "assistant", "content": MARK}
    try:
        head, mark, _ = render([*messages[:-1], marked], False).rpartition(MARK)
    except InvalidRequest:
        return opened
    return head if mark else opened
