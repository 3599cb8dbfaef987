"""ChatFormat: how the model of a server is given chats and writes tool calls, found out for the first chat."""

import logging
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from server.chat.template.constants import CHATML, CHATML_STOP
from slots.llama import Vocab

if TYPE_CHECKING:
    from server.chat.prompt import ChatPrompt
    from server.chat.request import Chat
    from server.chat.template.template import ChatTemplate
    from server.chat.tools.call_format import ToolFormat

logger = logging.getLogger("server")


class ChatFormat:
    """The chat template and the tool call format of a model. Both are for worker threads: when first asked for they
    import Jinja, parse the template and render it some thirty times, which takes a fifth of a second. Thread-safe."""

    def __init__(self, source: str | None, vocab: Vocab, tool_use_source: str | None = None) -> None:
        """`source` is the template, if there is one; with a warning, ChatML is used otherwise. Chats with tools have
        another one if there is a `tool_use_source`."""
        if source is None:
            logger.warning("The model has no chat template: ChatML is used for chats")
        self.of_tools = None if tool_use_source is None else ChatFormat(tool_use_source, vocab)
        """For chats with tools, if they have a template of their own."""
        self._source = source
        self._vocab = vocab
        self.bos = self._text(vocab.bos)
        """The text of BOS; empty if the model has none."""
        self._lock = Lock()

    @property
    def template(self) -> "ChatTemplate":
        """The template, and what it supports; with a warning, ChatML if it cannot be parsed."""
        with self._lock:
            return self._template

    @property
    def tool_format(self) -> "ToolFormat | None":
        """How the model writes tool calls; None if its template does not show it."""
        with self._lock:
            return self._tool_format

    @cached_property
    def _template(self) -> "ChatTemplate":
        from server.chat.template.template import ChatTemplate, ChatTemplateError  # noqa: PLC0415 - imports Jinja

        eos = self._text(self._vocab.eos)
        template = ChatTemplate(CHATML, self.bos, eos, CHATML_STOP)
        try:
            if self._source is not None:
                template = ChatTemplate(self._source, self.bos, eos)
        except ChatTemplateError as error:
            logger.warning("The model's chat template cannot be read: %s; ChatML is used for chats", error)
        logger.debug("The chat template: %s", template.capabilities)
        return template

    @cached_property
    def _tool_format(self) -> "ToolFormat | None":
        from server.chat.template.tool_call_format import infer_tool_format  # noqa: PLC0415 - as above

        tool_format = infer_tool_format(self._template, [self._text(token) for token in self._vocab.end_of_generation])
        # Who has not been told of tools would not expect JSON to be a call.
        is_expected = self._template.capabilities.supports_tools or not (tool_format and tool_format.is_only_at_start)
        return tool_format if is_expected else None

    def render(self, chat: "Chat") -> "ChatPrompt":
        """Returns the prompt of a chat. Raises InvalidRequest for messages that the template refuses."""
        if chat.tools and self.of_tools:
            return self.of_tools.render(chat)
        return chat.prompt(self.template, self.tool_format if chat.tools else None)

    def _text(self, token: int | None) -> str:
        return "" if token is None else self._vocab.display(token)
