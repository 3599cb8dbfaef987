"""The chat template that a server runs with."""

import logging

from server.chat.template.template import ChatTemplate, ChatTemplateError
from server.chat.template.tool_call_format import infer_tool_format
from server.chat.tools.call_format import ToolFormat
from slots.llama import Vocab

logger = logging.getLogger("server")

CHATML = """\
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""


def load_chat_template(source: str | None, vocab: Vocab) -> ChatTemplate:
    """Returns the template of a model, or ChatML where it has none or one that cannot be read, after a warning.

    Belongs to a worker thread: what the template knows is found out here, before there are requests.
    """
    template = _parse_or_chatml(source, _token_text(vocab.bos, vocab), _token_text(vocab.eos, vocab))
    logger.debug("The chat template: %s", template.capabilities)
    return template


def load_tool_format(template: ChatTemplate, vocab: Vocab) -> ToolFormat | None:
    """Returns how the model writes calls of tools; None if its template does not tell. Belongs to a worker thread."""
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
    return ChatTemplate(CHATML, bos, eos)


def _token_text(token: int | None, vocab: Vocab) -> str:
    return "" if token is None else vocab.display(token)
