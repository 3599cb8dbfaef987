"""without_oldest_turns: makes a chat fit into the context, as Ollama does unless a request forbids it."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace

from server.chat.request import Chat
from server.generation.chat import ChatGeneration
from slots.errors import InvalidRequest


def without_oldest_turns(chat: Chat, prepare: Callable[[Chat], ChatGeneration], n_ctx: int) -> ChatGeneration:
    """Returns what `prepare` makes of the chat without as many of its oldest turns as exceed `n_ctx` tokens; of the
    last turn alone if even that does. Messages of the system stay, and each turn begins with a message of the user's.

    Raises what `prepare` raises for the last turn.
    """
    starts = [index for index, message in enumerate(chat.messages) if message["role"] == "user"][1:]
    if not starts:
        return prepare(chat)

    def fits(start: int) -> bool:
        try:
            return len(prepare(_from(chat, start)).prompt.tokens) <= n_ctx
        except InvalidRequest:
            return False

    first = bisect_left(starts[:-1], True, key=fits)
    return prepare(_from(chat, starts[first]))


def _from(chat: Chat, start: int) -> Chat:
    """Returns the chat from a message on, after the system's messages before it."""
    system = (message for message in chat.messages[:start] if message["role"] == "system")
    return replace(chat, messages=(*system, *chat.messages[start:]))
