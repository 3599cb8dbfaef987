"""How much of a chat's prompt is the server's system prompt, which the chats of others begin with as well."""

from collections.abc import Iterator, Mapping
from os.path import commonprefix

from server.chat.messages import Json, Message
from server.chat.prompt import prompt_tokens
from server.chat.read import Chat
from server.chat.template import ChatTemplate
from slots.errors import InvalidRequest
from slots.llama import Vocab
from slots.prefix_tree import common_prefix_length

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
    try:
        known = commonprefix(list(_strangers(chat, template, defaults)))  # noqa: RUF071 - these are no paths
    except InvalidRequest:
        return 0
    return common_prefix_length(tokens, prompt_tokens(known, vocab)) if known else 0


def _strangers(chat: Chat, template: ChatTemplate, defaults: Mapping[str, object]) -> Iterator[str]:
    """Where a chat has tools or documents, so has one of a stranger: they may stand where otherwise the system prompt
    does, and begin like that."""
    system = chat.messages[0]
    yield template.render([system, _HELLO], more=defaults)
    yield template.render([system, _OTHER], more=defaults)
    if chat.tools:
        yield template.render([system, _HELLO], tools=[_TOOL], more=defaults)
    if chat.documents:
        yield template.render([system, _HELLO], documents=[_DOCUMENT], more=defaults)
