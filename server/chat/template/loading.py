"""Loads the chat template that a server runs with, and the tool call format of its model."""

import logging

from server.chat.template.template import CHATML, CHATML_STOP, ChatTemplate, ChatTemplateError
from server.chat.template.tool_call_format import infer_tool_format
from server.chat.tools.call_format import ToolFormat
from slots.llama import Vocab

logger = logging.getLogger("server")


def load_chat_template(source: str | None, vocab: Vocab) -> ChatTemplate:
    """Returns the template; with a warning, ChatML if there is none or if it cannot be parsed.

    For a worker thread: the template's capabilities are detected here, before the first request.
    """
    template = _parse_or_chatml(source, _token_text(vocab.bos, vocab), _token_text(vocab.eos, vocab))
    logger.debug("The chat template: %s", template.capabilities)
    return template


def load_tool_format(template: ChatTemplate, vocab: Vocab) -> ToolFormat | None:
    """Returns how the model writes tool calls; None if its template does not show it. For a worker thread."""
    if not template.capabilities.supports_tools:
        return None
    return infer_tool_format(template, [_token_text(token, vocab) for token in vocab.end_of_generation])


def _parse_or_chatml(source: str | None, bos: str, eos: str) -> ChatTemplate:
    if source is None:
        logger.warning("The model has no chat template: ChatML is used for chats")
    else:
        try:
            return ChatTemplate(source, bos, eos)
        except ChatTemplateError as error:
            logger.warning("The model's chat template cannot be read: %s; ChatML is used for chats", error)
    return ChatTemplate(CHATML, bos, eos, CHATML_STOP)


def _token_text(token: int | None, vocab: Vocab) -> str:
    return "" if token is None else vocab.display(token)
