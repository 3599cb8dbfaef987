"""How much of a chat's prompt is the server's system prompt, which the chats of others begin with as well."""

from collections.abc import Mapping
from functools import lru_cache
from os.path import commonprefix

import orjson

from server.chat.messages import Json, Message
from server.chat.prompt import tokenize_prompt
from server.chat.request import Chat
from server.chat.template.template import ChatTemplate
from slots.cache.radix_tree import common_prefix_length
from slots.errors import InvalidRequest
from slots.llama import Vocab

_HELLO: Message = {"role": "user", "content": "a"}
_OTHER: Message = {"role": "user", "content": "Something else."}
"""These two do not even have their length in common."""
_TOOL: Json = {
    "type": "function",
    "function": {"name": "nobody_has_this", "description": "Nothing", "parameters": {"type": "object"}},
}
_DOCUMENT: Json = {"title": "Of nobody", "text": "Nothing"}


def n_system_tokens(
    chat: Chat, tokens: tuple[int, ...], template: ChatTemplate, defaults: Mapping[str, object], vocab: Vocab
) -> int:
    """Returns how many of the first `tokens` of a chat's prompt come from the message that it begins with and the
    template alone: those that it has in common with chats of strangers behind the same message. `defaults` are the
    further variables of the template in a chat that brings none.

    0 if the template refuses such a chat. Belongs to a worker thread.
    """
    known = _common_tokens(
        str(chat.messages[0]["content"]),
        template,
        vocab,
        defaults=orjson.dumps(defaults),
        has_tools=bool(chat.tools),
        has_documents=bool(chat.documents),
    )
    return common_prefix_length(tokens, known)


@lru_cache(maxsize=4)  # the same for most chats, and a long text takes a while
def _common_tokens(
    system: str, template: ChatTemplate, vocab: Vocab, *, defaults: bytes, has_tools: bool, has_documents: bool
) -> tuple[int, ...]:
    """What strangers' chats begin with, `defaults` being JSON. Where a chat has tools or documents, so has one of a
    stranger: they may stand where otherwise the system prompt does, and begin like that."""
    message: Message = {"role": "system", "content": system}
    more = orjson.loads(defaults)
    try:
        strangers = [template.render([message, hello], template_kwargs=more) for hello in (_HELLO, _OTHER)]
        if has_tools:
            strangers.append(template.render([message, _HELLO], tools=[_TOOL], template_kwargs=more))
        if has_documents:
            strangers.append(template.render([message, _HELLO], documents=[_DOCUMENT], template_kwargs=more))
    except InvalidRequest:
        return ()
    known = commonprefix(strangers)  # noqa: RUF071 - these are no paths
    return tokenize_prompt(known, vocab) if known else ()
