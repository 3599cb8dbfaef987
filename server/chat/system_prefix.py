"""The system prefix: how many tokens of a chat's prompt come from the server's system prompt, and are therefore shared
with the chats of other clients."""

from collections.abc import Mapping
from functools import lru_cache
from os.path import commonprefix
from typing import TYPE_CHECKING

import orjson

from server.chat.messages import Message
from server.chat.prompt import tokenize_prompt
from server.chat.request import Chat
from server.chat.template.probes import CALLS, DOCUMENT, OTHER_USER, USER
from slots.cache.radix_tree import common_prefix_length
from slots.errors import InvalidRequest
from slots.llama import Vocab

if TYPE_CHECKING:
    from server.chat.template.template import ChatTemplate


def n_system_tokens(
    chat: Chat, tokens: tuple[int, ...], template: "ChatTemplate", defaults: Mapping[str, object], vocab: Vocab
) -> int:
    """Returns how many of the first `tokens` of a chat's prompt any other chat with the same first message has too; 0
    if the template refuses such a chat. `defaults` are the template variables of a chat that sets none.

    For a worker thread.
    """
    common = _common_tokens(
        str(chat.messages[0]["content"]),
        template,
        vocab,
        defaults=orjson.dumps(defaults),
        has_tools=bool(chat.tools),
        has_documents=bool(chat.documents),
    )
    return common_prefix_length(tokens, common)


@lru_cache(maxsize=4)  # the same for most chats, and expensive for a long text
def _common_tokens(
    system: str, template: "ChatTemplate", vocab: Vocab, *, defaults: bytes, has_tools: bool, has_documents: bool
) -> tuple[int, ...]:
    """Returns what different chats with this system message begin with; `defaults` is JSON. One of them has tools or
    documents if the request has, since a template may write these first, and they may begin like the system message."""
    message: Message = {"role": "system", "content": system}
    variables = orjson.loads(defaults)
    try:
        texts = [template.render([message, user], template_kwargs=variables) for user in (USER, OTHER_USER)]
        if has_tools:
            texts.append(template.render([message, USER], tools=[CALLS[0].tool], template_kwargs=variables))
        if has_documents:
            texts.append(template.render([message, USER], documents=[DOCUMENT], template_kwargs=variables))
    except InvalidRequest:
        return ()
    common = commonprefix(texts)  # noqa: RUF071 - these are no paths
    return tokenize_prompt(common, vocab) if common else ()
