"""Anthropic's own clients, connected to our server."""

from collections.abc import Iterable
from typing import Any

import anthropic
from anthropic.types import Message

SECONDS = 300
MODEL = "any"
"""The server has one model, whatever its name."""
TELL: Any = [{"role": "user", "content": "Tell me a story."}]
GREEDY: dict[str, object] = {"temperature": 0}
"""This version of the client has no such options any more."""


def anthropic_client(server: str, key: str = "none") -> anthropic.Anthropic:
    """Returns a client without retries."""
    return anthropic.Anthropic(base_url=server, api_key=key, max_retries=0, timeout=SECONDS)


def async_anthropic_client(server: str) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=server, api_key="none", max_retries=0, timeout=SECONDS)


def ask(server: str, **options: Any) -> Message:
    """Returns a short answer that is the same each time, unless `options` say otherwise."""
    extra_body = GREEDY | options.pop("extra_body", {})
    fields: dict[str, Any] = {"model": MODEL, "messages": TELL, "max_tokens": 8} | options
    message: Message = anthropic_client(server).messages.create(**fields, extra_body=extra_body)
    return message


def text_of(message: Message) -> str:
    """Returns the text of an answer, which is all that it has."""
    [block] = message.content
    assert block.type == "text"
    return block.text


def blocks(message: Message) -> list[dict[str, Any]]:
    """Returns the content as it was sent; the helper for streams has classes of its own for it."""
    return [block.model_dump(exclude_none=True) for block in message.content]


def count(server: str, messages: Iterable[Any] = TELL, **options: Any) -> int:
    counted = anthropic_client(server).messages.count_tokens(model=MODEL, messages=messages, **options)
    return counted.input_tokens


def prompt_length(message: Message) -> int:
    """Returns the number of tokens of the prompt, in the cache or not."""
    usage = message.usage
    assert usage.cache_creation_input_tokens == 0
    assert usage.cache_read_input_tokens is not None
    return usage.input_tokens + usage.cache_read_input_tokens
